// The list of alerts: filtered, judged in bulk, driven by keys.

import { api, attempt, button, calmly, h, may, query, table } from "../core.js";
import { go } from "../main.js";
import { act, actions, row, snooze } from "../parts.js";

const STATES = { open: ["pending", "firing", "acknowledged"], firing: ["firing"], acknowledged: ["acknowledged"], resolved: ["resolved"], all: [] };
const ORDERS = { urgent: "most urgent", newest: "newest", triage: "likeliest real" };
const SEVERITIES = ["critical", "high", "medium", "low", "info"];

export async function show(body, page) {
  const given = { state: page.search.get("state") ?? "open", severity: page.search.get("severity") ?? "", entity: page.search.get("entity") ?? "", order: page.search.get("order") ?? "urgent" };
  let items = [], next = null, here = 0;
  const chosen = new Set();
  const holder = h("div"), bulk = h("div.actions", { role: "group", "aria-label": "For all chosen alerts" }), count = h("span");

  // What was asked for with More stays when something changes.
  const load = async (cursor) => {
    const limit = cursor ? 50 : Math.min(Math.max(Math.ceil(items.length / 50), 1) * 50, 500);
    const found = await api(`/v1/alerts?${query({ state: STATES[given.state], severity: given.severity, entity: given.entity, order: given.order, limit, cursor })}`);
    items = cursor ? [...items, ...found.items] : found.items;
    next = found.next;
    for (const id of chosen) if (!items.some((one) => one.id === id)) chosen.delete(id);
    here = Math.min(here, Math.max(items.length - 1, 0));
    paint();
  };
  const calm = calmly(() => load().catch(() => {}));
  const done = () => { chosen.clear(); return load(); };

  const choose = (id, on) => { if (on) chosen.add(id); else chosen.delete(id); paint(); };
  const paint = () => {
    const kept = document.activeElement?.dataset?.choose;
    count.textContent = `${items.length}${next ? " and more" : ""} · ${given.state}`;
    const rows = items.map((alert, i) => row(alert, { "aria-selected": String(chosen.has(alert.id)), class: i === here ? "here" : null },
      h("td", null, h("input", { type: "checkbox", checked: chosen.has(alert.id), "aria-label": `Choose ${alert.title}`,
        data: { choose: alert.id }, onchange: (event) => choose(alert.id, event.target.checked) }))));
    const all = h("input", { type: "checkbox", "aria-label": "Choose all", checked: items.length > 0 && chosen.size === items.length,
      onchange: (event) => { for (const one of items) if (event.target.checked) chosen.add(one.id); else chosen.delete(one.id); paint(); } });
    holder.replaceChildren(items.length
      ? table("Alerts", [all, "Severity", "Alert", "Risk", "State", "Since, UTC"], rows, { class: "cards" })
      : h("p.empty", null, "No alert is like this."));
    if (next) holder.append(button("More", () => attempt(() => load(next))));
    if (kept) holder.querySelector(`[data-choose="${CSS.escape(kept)}"]`)?.focus();
    const states = [...new Set(items.filter((one) => chosen.has(one.id)).map((one) => one.state))];
    bulk.replaceChildren(h("span.note", null, chosen.size ? `${chosen.size} chosen` : "choose alerts to act on several"),
      ...(chosen.size ? actions(() => [...chosen], done, { states }).filter(Boolean) : []));
  };

  const change = (name) => (event) => {
    given[name] = event.target.value;
    items = [];
    page.address(`/alerts?${query(given)}`);
    attempt(load);
  };
  const select = (name, label, options, says = {}) => h("label", null, label, h("select", { onchange: change(name) },
    options.map((one) => h("option", { value: one, selected: one === given[name] }, says[one] ?? (one || "any")))));
  body.append(page.title("Alerts", count),
    h("section.card.stack", { "aria-label": "List of alerts" },
      h("div.filters", null, select("state", "State", Object.keys(STATES)), select("severity", "Severity", ["", ...SEVERITIES]),
        select("order", "Order", Object.keys(ORDERS), ORDERS),
        h("label", null, "Entity, whole name", h("input", { value: given.entity, onchange: change("entity") }))),
      bulk, holder),
    may("operator") && h("p.note.keys", null, "Keys: ", ["j down", "k up", "x choose", "a acknowledge", "s snooze 1 h", "r resolve", "Enter open", "g then a letter: another page"]
      .flatMap((text) => [h("kbd", null, text.split(" ")[0]), ` ${text.split(" ").slice(1).join(" ")}  `])));
  await load();

  const keys = (event) => {
    if (event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog, button, a") || event.ctrlKey || event.metaKey || event.altKey || !items.length) return;
    const at = items[here];
    const ids = chosen.size ? [...chosen] : [at.id];
    const work = {
      j: () => { here = Math.min(here + 1, items.length - 1); paint(); reveal(); },
      k: () => { here = Math.max(here - 1, 0); paint(); reveal(); },
      x: () => choose(at.id, !chosen.has(at.id)),
      a: async () => { if (await act(ids, "acknowledge")) done(); },
      s: async () => { if (await snooze(ids)) done(); },
      r: async () => { if (await act(ids, "resolve")) done(); },
      Enter: () => go(`/alerts/${encodeURIComponent(at.id)}`),
    }[event.key];
    if (work && (may("operator") || ["j", "k", "Enter"].includes(event.key))) { event.preventDefault(); work(); }
  };
  const reveal = () => holder.querySelector("tr.here")?.scrollIntoView({ block: "nearest" });
  addEventListener("keydown", keys);
  page.end(() => removeEventListener("keydown", keys));
  page.live((told) => { if (["alert", "all"].includes(told.kind)) calm(); });
}
