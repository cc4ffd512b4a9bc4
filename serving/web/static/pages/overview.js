// Dashboards: panels as the configuration says, with what they show now.

import { lanes, legend, line } from "../chart.js";
import { ago, api, badge, calmly, card, clock, empty, h, link, number, short, table, when, words } from "../core.js";
import { go } from "../main.js";
import { actions, row } from "../parts.js";

export async function show(body, page) {
  const board = page.board ?? "health";
  const grid = h("div.grid");
  let shown = await api(`/v1/dashboards/${board}`);
  const subtitle = h("span"), urgent = h("div.urgent");
  const paint = () => {
    subtitle.textContent = `last ${span(shown)} to ${clock(shown.until)} UTC · shaded: usual for the hours before`;
    urgent.replaceChildren(...firing(shown));
    const made = shown.panels.map((panel) => one(panel, shown, refresh));
    if (grid.children.length !== made.length) grid.replaceChildren(...made);
    // What somebody reads with a pointer or the keys is left alone until they are done.
    else made.forEach((fresh, i) => { if (!grid.children[i].matches("figure:hover, figure:focus-within")) grid.children[i].replaceWith(fresh); });
  };
  const refresh = async () => { shown = await api(`/v1/dashboards/${board}`); paint(); };
  const calm = calmly(() => refresh().catch(() => {}));
  const tabs = h("nav", { "aria-label": "Dashboards" }, shown.boards.map(({ id, title }) =>
    h("a", { href: `/overview/${id}`, "aria-current": id === board ? "page" : null }, title)));
  body.append(page.title(shown.title, subtitle), tabs, urgent, grid);
  paint();
  page.live((change) => { if (["alert", "incident", "silence", "all"].includes(change.kind)) calm(); });
  page.every(15, calm);
}

const span = ({ since, until }) => {
  const minutes = Math.round((Date.parse(until) - Date.parse(since)) / 60000);
  return minutes % 60 ? `${minutes} minutes` : `${minutes / 60} h`;
};
/** What needs people now, before every chart: the worst few. */
function firing(shown) {
  const { items = [] } = shown.panels.find((panel) => panel.kind === "alerts")?.data ?? {};
  const worst = items.filter((one) => one.state === "firing").slice(0, 3);
  return worst.length ? [...worst.map((one) => h("a.call", { href: `/alerts/${encodeURIComponent(one.id)}` }, badge(one.severity), h("strong", null, short(one.title)), ago(one.opened_at))),
    link("/alerts", "all open alerts")] : [];
}

const explore = (view, entity) => `/explorer?${new URLSearchParams(entity === undefined ? { view } : { view, entity })}`;

function one(panel, shown, done) {
  const made = PANELS[panel.kind](panel, panel.data, shown, done);
  made.classList.toggle("wide", panel.wide);
  made.dataset.panel = panel.id;
  return made;
}

const PANELS = {
  series: (panel, data, shown) => line(panel.title, data, { limit: panel.limit, path: explore(panel.view),
    from: Date.parse(shown.since), to: Date.parse(shown.until) }),

  lanes: (panel, data) => {
    const made = card(panel.title, `${data.entities} entities`, lanes(data, (entity) => go(explore(panel.view, entity))));
    made.querySelector("header").append(legend());
    return made;
  },

  table: (panel, data) => {
    const heads = ["Name", "State", ...data.columns.map(({ name, unit }) => unit && !["share", ...name.split("_")].includes(unit) ? `${words(name)} (${unit})` : words(name)), "Last window"];
    const rows = data.rows.map((found) => h("tr", { data: { entity: found.entity } },
      h("td.entity", null, link(explore(panel.view, found.entity), found.entity)),
      h("td", null, h(`span.${{ "no data": "bad", quiet: "muted" }[found.state] ?? found.state}`, null, found.state)),
      found.values.map((value) => h("td", null, number(value))), h("td", null, when(found.seen))));
    return card(panel.title, data.entities > data.rows.length ? `${data.rows.length} of ${data.entities}` : null,
      rows.length ? table(panel.title, heads, rows) : empty("No windows in this range."));
  },

  alerts: (panel, data, shown, done) => card(panel.title, data.count ? `${data.count} open` : null,
    data.items.length
      ? table(panel.title, ["Severity", "Alert", "Risk", "State", "Since", "Actions"], data.items.map((alert) => {
        const made = row(alert);
        made.append(h("td.whole", null, h("div.actions", null, actions(() => [alert.id], done, { states: [alert.state] }))));
        return made;
      }), { class: "cards" })
      : empty("Nothing fires here.")),

  risk: (panel, data) => card(panel.title, "0 to 100", data.rows.length
    ? table(panel.title, ["Entity", "Risk", "Most of it"], data.rows.map((found) => h("tr", null,
      h("td.entity", null, link(`/explorer?${new URLSearchParams({ entity: found.entity })}`, found.entity)),
      h("td.n", null, number(found.risk)), h("td.entity", null, found.why))))
    : empty("Nothing speaks against anyone.")),

  compliance: (panel, data) => card(panel.title, null, table(panel.title, ["Rule", "Now", "What it is"], data.rows.map((found) =>
    h("tr", null, h("td", null, found.name), h("td", null, h(`span.${found.state}`, null, found.value)), h("td.note", null, found.said))))),
};
