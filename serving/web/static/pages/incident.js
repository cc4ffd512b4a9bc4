// One incident: its clock, what happened when, the playbook's steps, and what must be written down.

import { timeline } from "../chart.js";
import { api, ask, attempt, badge, button, calmly, card, clock, empty, h, may, houseNow, post, session, short, span, table, tplus, when, words } from "../core.js";
import { row } from "../parts.js";

const OVER = ["done", "failed", "skipped"];
const FIELDS = ["summary", "timeline", "metrics", "action_taken", "resolution"];
const NEEDED = FIELDS.slice(1);

export async function show(body, page) {
  const path = `/v1/incidents/${encodeURIComponent(page.id)}`;
  let incident, runs = [];
  const read = async () => {
    incident = await api(path);
    runs = await Promise.all(incident.runs.map((one) => api(`/v1/runs/${encodeURIComponent(one.id)}`)));
  };
  const form = documentation(page.id, () => refresh());
  const head = h("div.stack"), middle = h("div.split"), below = h("div.stack"), journal = h("div");
  const right = h("div.stack", null, journal, form.element);
  const paint = () => {
    const zero = Date.parse(runs[0]?.started_at ?? incident.opened_at);
    form.fill(incident);
    head.replaceChildren(title(page, incident, runs, zero, refresh), against(incident, runs, zero));
    middle.replaceChildren(
      h("div.stack", null, runs.map((run) => steps(run, zero, refresh)), runs.length ? null : card("Playbook", null, empty("None runs."))),
      right);
    journal.replaceChildren(log(incident, zero));
    below.replaceChildren(card("Alerts", `${incident.alerts.length}`, table("Alerts", ["Severity", "Alert", "Risk", "State", "Since"], incident.alerts.map((one) => row(one)), { class: "cards" })));
  };
  const refresh = async () => { await read(); paint(); };
  const calm = calmly(() => refresh().catch(() => {}));
  await read();
  paint();
  body.append(head, middle, below);
  page.live((told) => {
    const mine = told.subject === page.id || told.fields?.incident === page.id || runs.some((run) => run.id === told.subject);
    if (told.kind === "all" || mine) calm();
  });
  page.every(1, () => {
    const end = Date.parse(incident.resolved_at ?? "") || houseNow();
    for (const one of body.querySelectorAll("[data-clock]")) one.textContent = tplus(end - Number(one.dataset.clock));
  });
  page.every(20, () => body.contains(document.activeElement) || paint());
}

function title(page, incident, runs, zero, done) {
  const end = Date.parse(incident.resolved_at ?? "") || houseNow();
  const empties = NEEDED.filter((name) => !incident.fields[name]);
  const path = `/v1/incidents/${encodeURIComponent(incident.id)}`;
  const own = async () => { if (await attempt(() => api(path, { method: "PATCH", body: { owner: session.name } }), "It is yours")) done(); };
  const close = async () => { if (await attempt(() => post(`${path}/close`), "Incident closed")) done(); };
  return h("div.stack", null,
    page.title(short(incident.title), badge(incident.severity), " · ", h(`span.${incident.state === "open" ? "high" : "ok"}`, null, incident.state),
      " · opened ", when(incident.opened_at), ` · ${incident.owner ? `owner ${incident.owner}` : "nobody owns it"} · ${incident.alerts.length} alerts`),
    h("div.actions", null,
      h("span.big", { data: { clock: zero }, "aria-label": "Incident clock" }, tplus(end - zero)),
      incident.state === "open" && may("operator") && incident.owner !== session.name && button("Take it", own),
      incident.state === "open" && may("responder") && button("Close incident", close, { data: { act: "close" },
        title: incident.playbook && empties.length ? `still empty: ${empties.join(", ")}` : null }),
      h("a.button", { href: `${path}/markdown`, download: `incident-${incident.id.slice(0, 8)}.md` }, "Export")));
}

// ---- against the clock ----

const at = (text) => text === null ? null : Number(/\d+/.exec(text)[0]) * 1000;
const merged = (run) => {
  const rows = Object.fromEntries(run.steps.map((one) => [one.step, one]));
  return run.definition.phases.map((phase, i) => {
    const steps = phase.steps.map((one) => ({ ...one, ...rows[one.id], kind: one.kind, owner: one.owner })).filter((one) => one.step);
    const from = at(phase.at), next = run.definition.phases[i + 1]?.at;
    const until = from === null ? null : next ? at(next) : from + 15 * 60000;
    return { ...phase, from, until, steps, over: steps.every((one) => OVER.includes(one.state)) };
  });
};

function against(incident, runs, zero) {
  const end = Date.parse(incident.resolved_at ?? "") || houseNow();
  const now = end - zero;
  const of = (times, tone, round) => times.filter(Boolean).map((time) => ({ at: Date.parse(time) - zero, tone, round }));
  const rows = [
    { name: "Alerts", marks: incident.alerts.flatMap((one) => of([one.opened_at], ["critical", "high"].includes(one.severity) ? "red" : "amber")) },
    { name: "Notifications", marks: of(incident.messages.map((one) => one.sent_at), "accent", true) },
  ];
  const phases = runs.flatMap(merged);
  for (const phase of phases) {
    const begun = phase.steps.map((one) => one.started_at ?? one.ended_at).filter(Boolean).map((time) => Date.parse(time) - zero);
    const ended = phase.steps.map((one) => one.ended_at).filter(Boolean).map((time) => Date.parse(time) - zero);
    const last = phase.over ? Math.max(...ended) : now;
    const late = phase.until !== null && last > phase.until;
    if (phase.from === null && !begun.length) continue;
    rows.push({ name: phase.title, planned: phase.from === null ? null : [phase.from, phase.until], tone: late ? "red" : "green",
      done: begun.length ? [Math.min(...begun), Math.max(last, Math.min(...begun))] : null });
  }
  const planned = Math.max(0, ...phases.map((phase) => phase.until ?? 0));
  const first = Math.min(0, ...rows.flatMap((one) => one.marks ?? []).map((mark) => mark.at));
  const length = Math.max(now * 1.05, planned, 10 * 60000);
  return card("Timeline against the playbook clock", "grey: planned · green: in time · red: late · dashed: now",
    timeline(rows, now, length, Math.max(first, -length) - length * 0.03));
}

// ---- steps ----

const opened = new Set();

function steps(run, zero, done) {
  const now = houseNow() - zero;
  const steer = (what) => button(words(what), async () => { if (await attempt(() => post(`/v1/runs/${run.id}/${what}`), `Run: ${what}`)) done(); });
  const buttons = may("responder") && { running: ["pause", "abort"], paused: ["resume", "abort"] }[run.state]?.map(steer);
  return card(`Playbook: ${run.definition.title}`, h("span", null, h(`span.${run.state}`, null, run.state), run.mode === "live" ? "" : ` · ${run.mode.replace("_", " ")}`),
    buttons && h("div.actions", null, buttons),
    h("p", null, "Incident clock ", h("strong.big", { data: { clock: zero } }, tplus(now))),
    merged(run).map((phase) => {
      const word = standing(phase, now, zero);
      const heading = [phase.from === null ? "Then" : `T+${phase.from / 60000}`, ` · ${phase.title} `, h("span.note", null, word[1])];
      const rows = phase.steps.map((one) => step(run, one, zero, done));
      // What lies ahead or behind is one line until somebody wants it.
      if (word[0] !== "later") return h(`div.phase.is-${word[0]}`, null, h("h3", null, heading), rows);
      return h("details.phase", { open: opened.has(phase.title) || null, ontoggle: (event) => { if (event.target.open) opened.add(phase.title); else opened.delete(phase.title); } },
        h("summary", null, h("strong", null, heading)), rows);
    }));
}

function standing(phase, now, zero) {
  const count = phase.steps.filter((one) => OVER.includes(one.state)).length;
  const last = Math.max(...phase.steps.map((one) => Date.parse(one.ended_at ?? "") - zero || 0));
  if (phase.over) return phase.until !== null && last > phase.until ? ["late", `done ${span(last - phase.until)} late`] : ["over", "done in time"];
  if (phase.from === null) return count ? ["due", `${count} of ${phase.steps.length} over`] : ["later", "after the phases before"];
  if (now < phase.from) return ["later", `due in ${span(phase.from - now)}`];
  if (now > phase.until) return ["late", `${count} of ${phase.steps.length} over, ${span(now - phase.until)} overdue`];
  return ["due", `${count} of ${phase.steps.length} over, due for ${span(now - phase.from)}`];
}

function step(run, one, zero, done) {
  const path = `/v1/runs/${run.id}/steps/${one.step}`;
  const act = (what, body, said) => async () => { if (await attempt(() => post(`${path}/${what}`, body), said)) done(); };
  const sign = async () => {
    const given = one.evidence.length ? await ask(one.title, one.evidence.map((name) => ({ name, label: words(name), long: true })), "Sign off") : {};
    if (given) await act("sign-off", { evidence: given }, "Signed off")();
  };
  const skip = async () => {
    const given = await ask(`Skip: ${one.title}`, [{ name: "why", label: "Why it is left out", long: true }], "Skip");
    if (given) await act("skip", given, "Skipped")();
  };
  const live = ["running", "paused"].includes(run.state) && may(one.role);
  const buttons = [
    live && one.state === "approval" && button(`Approve${one.people > 1 ? ` (${one.approvals.length} of ${one.people})` : ""}`, act("approve", undefined, "Approved"), { class: "primary", data: { act: "approve" } }),
    live && one.state === "manual" && button("Sign off", sign, { class: "primary", data: { act: "sign-off" } }),
    live && !OVER.includes(one.state) && one.state !== "acting" && button("Skip", skip, { data: { act: "skip" } }),
    may(one.role) && one.state === "done" && one.undo && button("Take back", act("take-back", undefined, "Asked: somebody must approve"), { data: { act: "take-back" } }),
  ].filter(Boolean);
  const mark = { done: "✓", failed: "×", skipped: "–" }[one.state] ?? "";
  const said = one.outcome?.done || one.why;
  return h("div.step", { data: { step: one.step, state: one.state } },
    h("div.head", null, h(`span.tick.${one.state}`, { "aria-hidden": "true" }, mark), h("span", null, one.title),
      h(`span.note.${one.state}`, null, one.state === "approval" ? "waits for approval" : one.state === "manual" ? "by hand" : one.state),
      h("span.note", null, one.ended_at ? tplus(Date.parse(one.ended_at) - zero) : one.owner),
      buttons.length > 0 && h("span.actions", null, buttons)),
    said && h("p.guide", null, said),
    one.state === "approval" && h("p.guide", null, `What it does: ${does(run, one)}`),
    !OVER.includes(one.state) && one.guide && one.guide !== said && h("p.guide", null, one.guide));
}

/** The action with its parameters as they are filled now. */
function does(run, one) {
  const filled = (value) => String(typeof value === "object" ? JSON.stringify(value) : value).replace(/\{([a-z_]+)\}/g, (whole, name) => run.parameters[name] ?? whole);
  const parts = Object.entries(one.with ?? {}).map(([name, value]) => `${name.replace(/_/g, " ")} ${filled(value)}`);
  return [one.action, parts.join(", ")].filter(Boolean).join(": ");
}

// ---- what is written down ----

function log(incident, zero) {
  const titles = Object.fromEntries(incident.alerts.map((one) => [one.id, one.title]));
  const about = (one) => [titles[one.subject], one.why].filter(Boolean).map(short).join(" · ");
  return card("Log", "every action, who and when", incident.timeline.length
    ? table("Log", ["Clock", "Who", "What"], [...incident.timeline].reverse().map((one) => h("tr", null,
      h("td", { title: `${clock(one.at)} UTC` }, tplus(Date.parse(one.at) - zero)), h("td", null, one.who),
      h("td.entity", null, one.what.replace(/_/g, " "), h("span.note", null, ` ${about(one)}`)))))
    : empty("Nothing yet."));
}

function documentation(id, done) {
  const inputs = Object.fromEntries(FIELDS.map((name) => [name, h("textarea", { rows: 3, name, disabled: !may("operator") })]));
  const save = async (event) => {
    event.preventDefault();
    const body = Object.fromEntries(FIELDS.map((name) => [name, inputs[name].value]));
    if (await attempt(() => api(`/v1/incidents/${encodeURIComponent(id)}`, { method: "PATCH", body }), "Saved")) { dirty = false; done(); }
  };
  let dirty = false;
  const note = h("p.note");
  const element = card("Documentation", "with a playbook, all but the summary are needed to close",
    h("form", { onsubmit: save, oninput: () => { dirty = true; } }, note,
      FIELDS.map((name) => h("label", null, words(name), inputs[name])),
      may("operator") && h("div.actions", null, h("button.primary", { type: "submit" }, "Save"))));
  const fill = (incident) => {
    const empties = NEEDED.filter((name) => !incident.fields[name]);
    note.textContent = empties.length ? `Still empty: ${empties.map((name) => name.replace("_", " ")).join(", ")}.` : "All fields are filled.";
    // What somebody is writing is never overwritten by what comes in.
    if (!dirty) for (const name of FIELDS) inputs[name].value = incident.fields[name] ?? "";
  };
  return { element, fill };
}
