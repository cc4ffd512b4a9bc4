// One alert: why, which arms, actual against expected, how rare, who was told, what to do first.

import { bars, line } from "../chart.js";
import { api, badge, button, calmly, card, clock, empty, h, houseNow, link, may, number, query, rare, share, short, span, table, when, words } from "../core.js";
import { actions, incidentLink, note } from "../parts.js";

export async function show(body, page) {
  const path = `/v1/alerts/${encodeURIComponent(page.id)}`;
  let alert, incident, series;
  const load = async () => {
    alert = await api(path);
    [incident, series] = await Promise.all([
      alert.incident ? api(`/v1/incidents/${encodeURIComponent(alert.incident)}`) : null,
      chart(alert),
    ]);
    paint();
  };
  const refresh = async () => {
    alert = await api(path);
    if (alert.incident) incident = await api(`/v1/incidents/${encodeURIComponent(alert.incident)}`);
    paint();
  };
  const paint = () => body.replaceChildren(...parts(page, alert, incident, series, refresh));
  await load();
  const calm = calmly(() => refresh().catch(() => {}));
  page.live((told) => { if (told.kind === "all" || told.subject === page.id || (told.kind === "incident" && told.subject === alert.incident)) calm(); });
}

/** The features that made it, from three hours before to an hour after; none where there is no lake. */
function chart(alert) {
  const features = [...new Set([...alert.breaches.map((one) => one.feature), ...telling(alert).map((one) => one.feature)])]
    .filter((one) => one !== "change").slice(0, 4);
  if (!features.length || !/^[a-z0-9_]+\.[a-z0-9_]+$/.test(alert.view)) return null;
  const start = Date.parse(alert.start), until = Math.min(Math.max(Date.parse(alert.last_seen) + 3600000, start + 3600000), houseNow());
  const range = { since: new Date(start - 3 * 3600000).toISOString(), until: new Date(until).toISOString() };
  return api(`/v1/views/${alert.view}/windows?${query({ entity: alert.entity, feature: features, points: 300, ...range })}`).catch(() => null);
}

/** The features that speak: what has no share to be read is a bystander. */
const telling = (alert) => alert.reasons.filter((one) => one.share >= 0.005);

function parts(page, alert, incident, series, done) {
  const limits = Object.fromEntries(alert.breaches.map((one) => [one.feature, one.limit]));
  return [
    page.title(alert.title, badge(alert.severity), " · ", h(`span.${alert.state}`, { data: { state: alert.state } }, alert.state), " · ", incidentLink(alert.incident)),
    h("section.card.stack", { "aria-label": "What and what first" },
      h("p.why", null, short(alert.why)),
      h("p", { data: { standing: alert.state } }, ...standing(alert)),
      h("div.step1", null, h("h2", null, "First step"), h("p", null, alert.first_step), running(incident)),
      alert.evidence.counterfactual && h("p.note", null, alert.evidence.counterfactual),
      h("div.actions", { data: { state: alert.state } }, actions(() => [alert.id], done, { states: [alert.state], urge: true }),
        may("operator") && button("Note", () => note(alert.id, done)),
        may("responder") && h("a.button", { href: `/silences?${query({ entity: alert.entity })}` }, "Silence"),
        h("a.button", { href: `/explorer?${query({ view: alert.view, entity: alert.entity })}` }, "Explore"))),
    h("dl.facts.card", null, facts(alert).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))),
    series && h("div.grid", null, Object.entries(series.features).map(([name, one]) => line(words(name),
      { at: series.at, ...one, rare: series.at.map((at) => inside(at, alert, series.seconds)) }, { limit: limits[name] ?? null, height: 190 }))),
    h("div.split", null,
      h("div.stack", null, breaches(alert), reasons(alert)),
      h("div.stack", null, armsCard(alert), told(alert, incident), timeline(alert))),
  ].filter(Boolean);
}

const AFTER = {
  pending: () => ["It is not certain yet: it fires if it lasts."],
  firing: () => ["Nobody has taken it yet."],
  acknowledged: (alert) => [`Taken by ${alert.acknowledged_by} at `, when(alert.acknowledged_at), "."],
  resolved: (alert) => ["Over since ", when(alert.resolved_at), "."],
};

/** How long it goes on, whether it still does, and whether somebody is at it. */
const standing = (alert) => [`For ${span(Date.parse(alert.resolved_at ?? alert.last_seen) - Date.parse(alert.opened_at))}: from `, when(alert.opened_at),
  ", last seen ", when(alert.last_seen), " UTC. ", ...AFTER[alert.state](alert)];

/** The playbook that runs for it: its steps come before anything that one thinks of by oneself. */
function running(incident) {
  const run = incident?.runs.find((one) => ["running", "paused"].includes(one.state));
  return run && h("p", null, `The playbook ${run.playbook.replace(/_/g, " ")} is ${run.state}: `, h("a", { href: `/incidents/${encodeURIComponent(incident.id)}` }, "see which steps wait for you"), ".");
}

const inside = (at, alert, seconds) => at + seconds * 1000 > Date.parse(alert.start) && at < Date.parse(alert.last_seen) && alert.windows > 0;

const facts = (alert) => [
  ["Entity", alert.entity],
  ["How rare", alert.per_day === null ? "a limit was crossed" : rare(alert.per_day)],
  ["Risk of the entity", link(`/explorer?${query({ view: alert.view, entity: alert.entity })}`, `${Math.round(alert.risk)} of 100`)],
  ["Windows so far", alert.windows],
  ["View", alert.view],
  ["Model", alert.model_version || "none took part"],
  ["Judged", alert.verdict ? `${alert.verdict.replace("_", " ")}, ${alert.verdict_by}` : "not yet"],
];

function breaches(alert) {
  if (!alert.breaches.length) return null;
  const rows = alert.breaches.map((one) => h("tr", null,
    h("td.entity", null, one.rule, one.requirement && h("span.note", null, ` ${one.requirement}`)),
    h("td", null, words(one.feature)), h("td", null, `${number(one.value)} ${one.unit}`),
    h("td", null, `${one.operator} ${number(one.limit)} ${one.unit}`), h("td", null, when(one.since))));
  return card("Limits that were crossed", null, table("Limits", ["Rule", "Feature", "Actual", "Limit", "Since"], rows));
}

function reasons(alert) {
  if (!telling(alert).length) return card("What the learned arms saw", null, empty("Nothing: this alert is of rules alone."));
  const rows = telling(alert).map((one) => h("tr", null,
    h("td", null, words(one.feature)), h("td", null, `${number(one.actual)} ${one.unit}`),
    h("td", null, one.low === null || one.low === undefined ? number(one.expected) : `${number(one.expected)} (${number(one.low)} to ${number(one.high)})`),
    h("td", null, one.side), h("td.n", null, share(one.share))));
  return card("Actual against expected", "the largest share first",
    bars(telling(alert).slice(0, 6).map((one) => ({ name: words(one.feature), value: one.share, text: share(one.share), title: one.words }))),
    table("Features", ["Feature", "Actual", "Expected", "Side", "Share"], rows));
}

const armsCard = (alert) => card("Which arms", "their share of the evidence", Object.keys(alert.arms).length
  ? bars(Object.entries(alert.arms).sort((a, b) => b[1] - a[1]).map(([name, part]) =>
    ({ name: name.replace(/^rule:/, "rule ").replace(/_/g, " "), value: part, text: name.startsWith("rule:") ? "fired" : share(part) })))
  : empty("None is named."));

function told(alert, incident) {
  const all = incident?.messages ?? [], sent = all.filter((one) => one.sent_at);
  const why = alert.suppressed ? h("p", null, "Nobody was told of this one: ", short(alert.suppressed))
    : !alert.notified_at ? h("p", null, "Nobody was told yet.")
      : sent.length ? h("p", null, `Told by ${[...new Set(sent.map((one) => one.channel))].join(", ")}.`)
        : h(all.length ? "p.bad" : "p", null, all.length ? "Messages wait since " : "Told at ", when(alert.notified_at), all.length ? "; none has left yet." : ".");
  const kinds = Map.groupBy(all, (one) => `${one.channel} ${one.action} ${one.state}`);
  return card("Who was told, or why not", null, why, kinds.size ? table("Messages", ["Channel", "What", "State", "Times", "Last"], [...kinds.values()].map((same) => {
    const one = same.at(-1);
    return h("tr", null, h("td", null, one.channel), h("td", null, one.action),
      h("td", null, h(`span.${one.state === "sent" ? "ok" : one.state === "dead" ? "bad" : "muted"}`, { title: one.error || null }, one.state)),
      h("td", null, String(same.length)), h("td", null, when(one.sent_at ?? one.due_at)));
  })) : null);
}

const timeline = (alert) => card("Timeline", null, alert.notes.length ? h("ol.log", null, [...alert.notes].reverse().map((one) =>
  h("li", null, when(one.at), h("div", null, h("strong", null, one.who), ` ${one.what} `,
    h("span.note", null, one.detail.text ?? (one.detail.why && short(one.detail.why)) ?? one.detail.verdict ?? (one.detail.until ? `until ${clock(one.detail.until, false)}` : "")))))) : empty("Nothing yet."));

