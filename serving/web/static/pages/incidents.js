// All incidents, the open ones first.

import { api, badge, calmly, card, empty, h, link, houseNow, query, short, span, table, when } from "../core.js";

export async function show(body, page) {
  let state = page.search.get("state") ?? "open";
  const holder = h("div");
  const load = async () => {
    const { items } = await api(`/v1/incidents?${query({ state: state === "all" ? "" : state, limit: 100 })}`);
    holder.replaceChildren(card("Incidents", `${items.length} ${state}`, items.length ? table("Incidents", ["Severity", "Incident", "State", "Owner", "Playbook", "Opened", "Lasted"], items.map(row), { class: "cards" }) : empty("There is none.")));
  };
  const pick = h("select", { onchange: (event) => { state = event.target.value; page.address(`/incidents?state=${state}`); load(); } },
    ["open", "resolved", "all"].map((one) => h("option", { value: one, selected: one === state }, one)));
  body.append(page.title("Incidents"), h("div.filters", null, h("label", null, "State", pick)), holder);
  await load();
  const calm = calmly(() => load().catch(() => {}));
  page.live((told) => { if (["incident", "all"].includes(told.kind)) calm(); });
}

const row = (one) => h("tr", { data: { id: one.id, state: one.state } },
  h("td", null, badge(one.severity)),
  h("td.whole", null, link(`/incidents/${encodeURIComponent(one.id)}`, h("span.alert-title", null, short(one.title))), h("span.note", null, one.entities.slice(0, 4).map(short).join(", "), one.entities.length > 4 ? ` and ${one.entities.length - 4} more` : "")),
  h("td", null, h(`span.${one.state}`, null, one.state)),
  h("td", null, one.owner || h("span.muted", null, "nobody")),
  h("td", null, one.playbook.replace(/_/g, " ") || h("span.muted", null, "none")),
  h("td", null, when(one.opened_at)),
  h("td", null, span(Date.parse(one.resolved_at ?? new Date(houseNow()).toISOString()) - Date.parse(one.opened_at))));
