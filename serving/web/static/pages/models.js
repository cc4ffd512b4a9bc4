// Models: what scores each view, how it stands, and what it measures.

import { api, card, h, link, table, words } from "../core.js";

export async function show(body, page) {
  const [models, views] = await Promise.all([api("/v1/models"), api("/v1/views")]);
  const about = Object.fromEntries(views.map((view) => [view.name, view]));
  const rows = models.map((one) => h("tr", { data: { view: one.view, state: one.state } },
    h("td.entity", null, link(`/explorer?${new URLSearchParams({ view: one.view })}`, one.view)),
    h("td.entity", null, one.model || h("span.muted", null, "none")),
    h("td", null, h(`span.${one.state === "ready" || one.state === "ok" ? "ok" : "high"}`, null, one.state), one.detail && h("div.note", null, one.detail)),
    h("td", null, one.warm ? "yes" : "not yet"),
    h("td", null, one.arms.join(", ") || h("span.muted", null, "thresholds only")),
    h("td.n", null, String(about[one.view]?.features.length ?? ""))));
  const warm = models.filter((one) => one.warm).length;
  body.append(page.title("Models", `${warm} of ${models.length} warm`),
    card("What scores each view", null, table("Models", ["View", "Model", "State", "Warm", "Arms", "Features"], rows)),
    ...views.map((view) => h("details.card", null, h("summary", null, view.name, h("span.note", null, ` per ${view.entity.join(" and ")}, ${view.seconds} s`)),
      table(view.name, ["Feature", "Definition", "Unit", "Concern", "Source"], view.features.map((feature) => h("tr", null,
        h("td", null, words(feature.name)), h("td", null, feature.definition), h("td", null, feature.unit), h("td", null, feature.direction), h("td", null, feature.source)))))));
}
