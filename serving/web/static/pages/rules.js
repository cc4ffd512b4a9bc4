// Rules: every ladder with its rungs, and which entity stands where.

import { api, badge, calmly, card, h, link, number, query, short, table, when, words } from "../core.js";

export async function show(body, page) {
  const holder = h("div.stack");
  const load = async () => {
    const { packs, standing } = await api("/v1/rules");
    const ladders = packs.reduce((sum, pack) => sum + pack.ladders.length, 0);
    note.textContent = `${packs.length} packs, ${ladders} ladders, ${Object.values(standing).flat().length} entities on a rung`;
    holder.replaceChildren(...packs.map((pack) => card(words(pack.pack), null, h("p.note", null, pack.about), pack.ladders.map((one) => ladder(one, standing)), others(pack))));
  };
  const note = h("span");
  body.append(page.title("Rules", note), holder);
  await load();
  const calm = calmly(() => load().catch(() => {}));
  page.live((told) => { if (["alert", "all"].includes(told.kind)) calm(); });
}

function ladder(one, standing) {
  const rows = one.rungs.map((rung) => h("tr", { data: { rung: rung.id } },
    h("td", null, badge(rung.severity)),
    h("td", null, `${one.operator} ${number(rung.limit)} ${one.unit ?? ""}`),
    h("td.entity", null, rung.id, rung.requirement?.length ? h("span.note", null, ` ${rung.requirement.join(", ")}`) : null),
    h("td", null, (rung.playbook ?? "").replace(/_/g, " ")),
    h("td.entity", null, stands(one, standing[rung.id] ?? []))));
  return h("details", { open: one.rungs.some((rung) => standing[rung.id]?.length) || null },
    h("summary", null, `${one.title}`, h("span.note", null, ` ${one.view} · ${words(one.feature)} · for ${one.for ?? "1"}`)),
    table(one.title, ["Severity", "Limit", "Rung", "Playbook", "Stands here"], rows));
}

const SHOWN = 4;

/** Who stands on a rung: the first few, and how many more. */
const stands = (one, all) => [
  ...all.slice(0, SHOWN).map((at) => h("div", null,
    link(`/explorer?${query({ view: one.view, entity: at.entity, feature: one.feature })}`, short(at.entity)), " ", h(`span.${at.state}`, null, at.state), at.since ? [h("span.note", null, " since "), when(at.since)] : null)),
  all.length > SHOWN && h("div.note", null, `and ${all.length - SHOWN} more`),
].filter(Boolean);

/** What a pack has beside ladders, by name. */
function others(pack) {
  const found = Object.entries(pack).filter(([name, list]) => name !== "ladders" && Array.isArray(list) && list.length && typeof list[0] === "object");
  return found.map(([name, list]) => h("details", null, h("summary", null, `${words(name)} (${list.length})`),
    h("ul", null, list.map((one) => h("li", null, h("strong", null, one.title ?? one.id ?? one.family ?? one.name ?? ""), one.severity ? [" ", badge(one.severity)] : null, h("span.note", null, ` ${one.summary ?? ""}`))))));
}
