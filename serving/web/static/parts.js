// Alerts as rows, and what people do to them; the same on the dashboards and in the list.

import { arms } from "./chart.js";
import { ago, ask, attempt, badge, button, h, link, may, houseNow, post, short, when } from "./core.js";

const HOUR = 3600000;

/** Do one thing to alerts, all or none; tells how it went. */
export function act(ids, what, more = {}) {
  if (!ids.length) return null;
  const many = ids.length === 1 ? "" : ` (${ids.length})`;
  return attempt(() => post("/v1/alerts/acts", { ids, what, ...more }), `${WORDS[more.verdict ?? what]}${many}`);
}
const WORDS = { acknowledge: "Acknowledged", unacknowledge: "Given back", resolve: "Resolved", snooze: "Snoozed for an hour",
  note: "Note kept", real: "Judged real", noise: "Judged noise", wrong_team: "Judged as another team's" };

export const snooze = (ids) => act(ids, "snooze", { until: new Date(houseNow() + HOUR).toISOString() });

/** The buttons for one or several alerts; `ids` is asked when one is pressed. */
export function actions(ids, done, { states = ["firing"], urge = false } = {}) {
  if (!may("operator")) return [];
  const run = (work) => async () => { if (await work(ids())) done(); };
  const made = (name, work, key, more) => button(name, run(work), { data: { act: key ?? name.toLowerCase() }, ...more });
  const open = states.some((one) => one !== "resolved");
  return [
    states.includes("firing") && made("Acknowledge", (on) => act(on, "acknowledge"), "acknowledge", urge && { class: "primary" }),
    states.includes("acknowledged") && !states.includes("firing") && made("Give back", (on) => act(on, "unacknowledge"), "unacknowledge"),
    open && made("Snooze 1 h", snooze, "snooze"),
    open && made("Resolve", (on) => act(on, "resolve")),
    urge && h("span.note", null, "Was it real?"),
    made("Real", (on) => act(on, "verdict", { verdict: "real" })),
    made("Noise", (on) => act(on, "verdict", { verdict: "noise" })),
    made("Wrong team", (on) => act(on, "verdict", { verdict: "wrong_team" }), "wrong_team"),
  ];
}

/** What an alert says in a row. */
export function told(alert) {
  const muted = alert.suppressed && h("span.note", null, `not told: ${short(alert.suppressed)}`);
  const snoozed = alert.snoozed_until && Date.parse(alert.snoozed_until) > houseNow() && h("span.note", null, "snoozed until ", when(alert.snoozed_until));
  return [
    h("a.alert-title", { href: `/alerts/${encodeURIComponent(alert.id)}` }, short(alert.title)),
    h("span", null, short(alert.why)),
    h("div.beside", null, arms(alert.arms ?? {}), muted, snoozed),
  ];
}

/** The whole row. */
export function row(alert, more, ...before) {
  return h("tr", { data: { id: alert.id, state: alert.state, entity: alert.entity }, ...more },
    before,
    h("td", null, badge(alert.severity)),
    h("td.whole", null, told(alert)),
    h("td.n", { title: "risk of the entity, 0 to 100" }, String(Math.round(alert.risk))),
    h("td", null, h(`span.${alert.state}`, null, alert.state), alert.verdict && h("span.note", null, ` ${alert.verdict.replace("_", " ")}`)),
    h("td", null, when(alert.opened_at), ago(alert.opened_at)));
}

export async function note(id, done) {
  const given = await ask("Note", [{ name: "text", label: "What you saw or did", long: true }]);
  if (given && await act([id], "note", { text: given.text })) done();
}

/** A step's action with its parameters as they are filled now. */
export function does(step, parameters) {
  const filled = (value) => String(typeof value === "object" ? JSON.stringify(value) : value).replace(/\{([a-z_]+)\}/g, (whole, name) => parameters[name] ?? whole);
  const parts = Object.entries(step.with ?? {}).map(([name, value]) => `${name.replace(/_/g, " ")} ${filled(value)}`);
  return [step.action, parts.join(", ")].filter(Boolean).join(": ");
}

export const incidentLink = (id) => id ? link(`/incidents/${encodeURIComponent(id)}`, "its incident") : "no incident";
