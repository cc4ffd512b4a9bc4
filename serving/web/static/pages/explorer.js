// The explorer: who was rare when, an entity's features over time, and what a threshold would do.

import { bars, lanes, legend, line } from "../chart.js";
import { api, card, empty, h, houseNow, number, query, rare, table, words } from "../core.js";
import { row } from "../parts.js";

const RANGES = { "3 h": 3, "24 h": 24, "7 days": 168, "31 days": 744 };

export async function show(body, page) {
  const views = await api("/v1/views");
  const given = { view: page.search.get("view") ?? "", entity: page.search.get("entity") ?? "", hours: Number(page.search.get("hours") ?? 24), features: page.search.getAll("feature") };
  if (!views.some((one) => one.name === given.view)) given.view = given.entity ? await home(given.entity) ?? views[0].name : views[0].name;
  const subtitle = h("span"), top = h("div"), charts = h("div.grid"), threshold = h("div"), about = h("div.stack"), alerts = h("div");

  const range = () => ({ since: new Date(houseNow() - given.hours * 3600000).toISOString() });
  const view = () => views.find((one) => one.name === given.view);
  const remember = () => page.address(`/explorer?${query({ view: given.view, entity: given.entity, hours: given.hours, feature: given.features })}`);

  const overview = async () => {
    const shown = await api(`/v1/views/${given.view}/lanes?${query({ ...range(), lanes: 10, buckets: 48 })}`);
    if (!given.entity && shown.lanes.length) given.entity = shown.lanes[0].entity;
    subtitle.textContent = `last ${Object.entries(RANGES).find(([, hours]) => hours === given.hours)?.[0] ?? `${given.hours} h`} · ${shown.entities} entities · pick a lane or a cell`;
    const made = card("Entities by time", null, lanes(shown, (entity) => { given.entity = entity; pickers.entity.value = entity; paintLanes(); one(); }, given.entity));
    made.querySelector("header").append(legend());
    const paintLanes = () => { for (const lane of made.querySelectorAll(".lane")) lane.setAttribute("aria-pressed", String(lane.querySelector(".name").textContent === given.entity)); };
    top.replaceChildren(made);
    const judged = (await api(`/v1/alerts?${query({ view: given.view, limit: 500 })}`)).items.filter((alert) => alert.per_day !== null && ["real", "noise"].includes(alert.verdict));
    threshold.replaceChildren(what(shown, judged));
  };

  const one = async () => {
    remember();
    pickers.entity.value = given.entity;
    if (!given.entity) { charts.replaceChildren(empty("Pick an entity.")); about.replaceChildren(); alerts.replaceChildren(); return; }
    const chosen = given.features.filter((name) => view().features.some((feature) => feature.name === name));
    const names = chosen.length ? chosen.slice(0, 8) : view().features.filter((feature) => !["samples", "silence"].includes(feature.name)).slice(0, 8).map((feature) => feature.name);
    const [series, risk] = await Promise.all([
      api(`/v1/views/${given.view}/windows?${query({ entity: given.entity, feature: names, points: 480, ...range() })}`),
      api(`/v1/entities/${encodeURIComponent(given.entity)}`),
    ]);
    const filled = Object.entries(series.features).filter(([, found]) => chosen.length || found.value.some((value) => value !== null)).slice(0, chosen.length || 4);
    charts.replaceChildren(...filled.map(([name, found]) =>
      line(`${given.entity} · ${words(name)}`, { at: series.at, ...found, rare: series.per_day.map((rate) => rate !== null && rate <= 1) }, { height: 200 })));
    charts.dataset.entity = given.entity;
    about.replaceChildren(why(risk, (entity) => { given.entity = entity; one(); }));
    alerts.replaceChildren(card("Open alerts", `${risk.alerts.length}`, risk.alerts.length
      ? table("Alerts", ["Severity", "Alert", "Risk", "State", "Since"], risk.alerts.map((alert) => row(alert)), { class: "cards" }) : empty("None.")));
  };

  const pickers = {
    view: h("select", { onchange: (event) => { Object.assign(given, { view: event.target.value, entity: "", features: [] }); choices(); overview().then(one); } }, views.map((found) => h("option", { value: found.name, selected: found.name === given.view }, found.name))),
    entity: h("input", { value: given.entity, onchange: (event) => { given.entity = event.target.value; one(); } }),
    range: h("select", { onchange: (event) => { given.hours = Number(event.target.value); overview().then(one); } }, Object.entries(RANGES).map(([name, hours]) => h("option", { value: hours, selected: hours === given.hours }, name))),
  };
  const list = h("div.actions");
  const choices = () => list.replaceChildren(...view().features.map((feature) => h("label", { class: "choice", title: feature.definition },
    h("span", null, h("input", { type: "checkbox", checked: given.features.includes(feature.name), onchange: (event) => {
      given.features = event.target.checked ? [...given.features, feature.name].slice(-8) : given.features.filter((name) => name !== feature.name);
      one();
    } }), ` ${words(feature.name)}`))));
  choices();
  body.append(page.title("Anomaly explorer", subtitle),
    h("section.card.stack", { "aria-label": "What to look at" }, h("div.filters", null, h("label", null, "View", pickers.view), h("label", null, "Entity", pickers.entity), h("label", null, "Range", pickers.range)),
      h("details", null, h("summary", null, "Features"), list)),
    top, charts, h("div.split", null, threshold, about), alerts);
  await overview();
  await one();
}

/** The view that an entity's alerts are of. */
async function home(entity) {
  const found = (await api(`/v1/alerts?${query({ entity, limit: 20 })}`)).items.map((alert) => alert.view);
  return found.find((name) => name.includes(".")) ?? null;
}

/** Alerts a day at each threshold, and how well analysts' verdicts agree with it. */
function what(shown, judged) {
  const levels = shown.levels;
  const values = {};
  const fact = (name) => { values[name] = h("dd"); return h("div", null, h("dt", null, name), values[name]); };
  const facts = h("dl.facts", null, ["alerts / day", "change vs 1 a day", "precision (judged)", "recall (judged)"].map(fact));
  const text = h("span", { "aria-live": "polite" });
  const now = levels.indexOf(1);
  const move = (at) => {
    const level = levels[at], caught = judged.filter((alert) => alert.per_day <= level), real = caught.filter((alert) => alert.verdict === "real");
    const all = judged.filter((alert) => alert.verdict === "real");
    const change = shown.alerts_a_day[at] - shown.alerts_a_day[now];
    text.textContent = `told when rarer than ${number(level)} a day`;
    values["alerts / day"].textContent = number(shown.alerts_a_day[at]);
    values["change vs 1 a day"].textContent = `${change > 0 ? "+" : ""}${number(change)}`;
    values["precision (judged)"].textContent = caught.length ? `${Math.round((real.length / caught.length) * 100)} %` : "–";
    values["recall (judged)"].textContent = all.length ? `${Math.round((real.length / all.length) * 100)} %` : "–";
  };
  const slider = h("input", { type: "range", min: 0, max: levels.length - 1, step: 1, "aria-label": "Alert threshold", oninput: (event) => move(Number(event.target.value)) });
  slider.value = now;
  move(now);
  const most = Math.max(...shown.alerts_a_day, 1e-9);
  return card("What if the alert threshold were…", text, slider, facts,
    bars(levels.map((level, i) => ({ name: rare(level), value: shown.alerts_a_day[i], text: number(shown.alerts_a_day[i]) })).filter((_, i) => i % 2 === 0 && most > 0)));
}

function why(risk, go) {
  const rows = risk.contributions.slice(0, 8).map((part) => ({ name: part.note || (part.path.length > 1 ? `linked: ${part.path[0]}` : part.source), title: part.source, value: part.points, text: `+${number(part.points)}` }));
  const linked = [...new Set(risk.contributions.filter((part) => part.path.length > 1).map((part) => part.path[0]))];
  return card("Why this risk", h("strong", null, `${Math.round(risk.risk)} of 100`), rows.length ? bars(rows) : empty("Nothing speaks against it."),
    linked.length > 0 && h("p", null, "Linked: ", linked.map((name) => [h("button", { type: "button", onclick: () => go(name) }, name), " "])),
    h("div.actions", null, h("a.button", { href: `/alerts?${query({ entity: risk.entity, state: "all" })}` }, "Its alerts"), h("a.button", { href: `/silences?${query({ entity: risk.entity })}` }, "Silence")));
}
