// One incident: its clock, what happened when, the playbook's steps, and what must be written down.

import { timeline } from "../chart.js";
import { api, ask, attempt, badge, button, calmly, card, clock, empty, h, may, houseNow, post, session, short, span, table, tell, tplus, when, words } from "../core.js";
import { does, row } from "../parts.js";

const OVER = ["done", "failed", "skipped"];
const FIELDS = ["summary", "timeline", "metrics", "action_taken", "resolution"];
const NEEDED = FIELDS.slice(1);
const WORST = ["critical", "high", "medium", "low", "info"];

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
    head.replaceChildren(title(page, incident, runs, zero, refresh), lead(incident, runs), against(incident, runs, zero));
    middle.replaceChildren(
      h("div.stack", null, runs.map((run) => steps(run, zero, refresh, runs)), runs.length ? null : card("Playbook", null, empty("None runs."))),
      right);
    journal.replaceChildren(log(incident, runs, zero));
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
      h("span.big", { role: "timer", "aria-label": "Incident clock", data: { clock: zero } }, tplus(end - zero)),
      incident.state === "open" && may("operator") && incident.owner !== session.name && button("Take it", own, { class: incident.owner ? null : "primary" }),
      incident.state === "open" && may("responder") && button("Close incident", close, { data: { act: "close" },
        title: incident.playbook && empties.length ? `still empty: ${empties.join(", ")}` : null }),
      h("a.button", { href: `${path}/markdown`, download: `incident-${incident.id.slice(0, 8)}.md` }, "Export")));
}

/** What happened, what to do first, and what waits for people, before anything else. */
function lead(incident, runs) {
  const by = (one) => (one.state === "resolved" ? 10 : 0) + WORST.indexOf(one.severity) - one.risk / 101;
  const worst = incident.alerts.toSorted((a, b) => by(a) - by(b))[0];
  const found = runs.filter((run) => GOES.includes(run.state)).flatMap((run) => merged(run).flatMap((phase) => phase.steps));
  const named = (text, tone, ...states) => {
    const titles = found.filter((one) => states.includes(one.state)).map((one) => one.title);
    const times = (title) => titles.filter((one) => one === title).length;
    const told = [...new Set(titles)].map((title) => times(title) > 1 ? `${title} (${times(title)} runs)` : title);
    return titles.length > 0 && h(`p.${tone}`, null, h("strong", null, `${text}: `), told.join(" · "));
  };
  return worst && h("section.card.stack", { "aria-label": "What and what first" }, h("p.why", null, short(worst.why)),
    incident.state === "open" && h("div.step1", null, h("h2", null, "First step"), h("p", null, worst.first_step)),
    named("Waiting for people", "warn", "approval", "manual"), named("Failed", "bad", "failed"));
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
const GOES = ["running", "paused"];

function steps(run, zero, done, runs) {
  const now = houseNow() - zero;
  const steer = (what) => button(words(what), async () => { if (await attempt(() => post(`/v1/runs/${run.id}/${what}`), `Run: ${what}`)) done(); });
  const buttons = may("responder") && { running: ["pause", "abort"], paused: ["resume", "abort"] }[run.state]?.map(steer);
  return card(`Playbook: ${run.definition.title}`, h("span", null, h(`span.${run.state}`, null, run.state), run.mode === "live" ? "" : ` · ${run.mode.replace("_", " ")}`, runs.length > 1 && h("span.entity", null, ` · ${about(run)}`)),
    buttons && h("div.actions", null, buttons),
    broken(run, zero),
    h("p", null, "Incident clock ", h("strong.big", { data: { clock: zero } }, tplus(now))),
    merged(run).map((phase) => {
      const word = standing(phase, now, zero);
      const heading = [phase.from === null ? "Then" : `T+${phase.from / 60000}`, ` · ${phase.title} `, h("span.note", null, word[1])];
      const rows = phase.steps.map((one) => step(run, one, zero, done, runs));
      // What lies ahead or behind is one line until somebody wants it.
      if (word[0] !== "later") return h(`div.phase.is-${word[0]}`, null, h("h3", null, heading), rows);
      return h("details.phase", { open: opened.has(phase.title) || null, ontoggle: (event) => { if (event.target.open) opened.add(phase.title); else opened.delete(phase.title); } },
        h("summary", null, h("strong", null, heading)), rows);
    }));
}

/** What a run is about: one incident may have a run for each account. */
const about = (run) => Object.keys(run.definition.parameters).map((name) => run.parameters[name]).filter(Boolean).map(short).join(", ");

function standing(phase, now, zero) {
  const count = phase.steps.filter((one) => OVER.includes(one.state)).length;
  const last = Math.max(...phase.steps.map((one) => Date.parse(one.ended_at ?? "") - zero || 0));
  if (phase.over) return phase.until !== null && last > phase.until ? ["late", `done ${span(last - phase.until)} late`] : ["over", "done in time"];
  if (phase.from === null) return count ? ["due", `${count} of ${phase.steps.length} over`] : ["later", "after the phases before"];
  if (now < phase.from) return ["later", `due in ${span(phase.from - now)}`];
  if (now > phase.until) return ["late", `${count} of ${phase.steps.length} over, ${span(now - phase.until)} overdue`];
  return ["due", `${count} of ${phase.steps.length} over, due for ${span(now - phase.from)}`];
}

/** Who broke the glass, and why: nobody shall overlook it. */
const broken = (run, zero) => merged(run).flatMap((phase) => phase.steps).flatMap((one) => one.approvals.filter((by) => by.forced).map((by) =>
  h("p.warning", null, h("strong", null, "Forced: "), `${by.who} had “${one.title}” done alone at ${tplus(Date.parse(by.at) - zero)}: ${by.forced}`)));

function step(run, one, zero, done, runs) {
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
  const force = async () => {
    const given = await ask(`Force: ${one.title}`, [{ name: "why", label: "Why it cannot wait for the others", long: true }], "Force it now",
      `This breaks the glass. It acts now, on your word alone: ${does(one, run.parameters)}. Every admin and owner is told at once, by your name.`);
    if (given) await act("force", given, "Forced: every admin is told")();
  };
  const share = async () => {
    const given = await attempt(() => post(`${path}/link`));
    if (given) passed(one, given);
  };
  const live = GOES.includes(run.state) && may(one.role), asked = live && one.state === "approval";
  const mine = one.approvals.some((by) => by.who === session.name);
  const alike = runs.filter((other) => other.playbook === run.playbook && GOES.includes(other.state) && other.steps.some((its) => its.step === one.step && its.state === "approval")).length;
  const enough = !mine && one.approvals.length + 1 >= one.people;
  const buttons = [
    asked && !mine && button(`Approve${one.people > 1 ? ` (${one.approvals.length} of ${one.people})` : ""}`, act("approve", undefined, "Approved"), { class: "primary", data: { act: "approve" } }),
    asked && !mine && alike > 1 && button(`Approve in all ${alike} runs`, act("approve-all", undefined, "Approved in all runs"), { data: { act: "approve-all" } }),
    live && one.state === "manual" && button("Sign off", sign, { class: "primary", data: { act: "sign-off" } }),
    live && !OVER.includes(one.state) && one.state !== "acting" && button("Skip", skip, { data: { act: "skip" } }),
    asked && !mine && button("Link", share, { data: { act: "link" }, title: "To approve from another device" }),
    asked && !enough && one.may_force && may("admin") && button("Force", force, { class: "danger", data: { act: "force" } }),
    one.state === "failed" && run.state !== "aborted" && may(one.role) && button("Try again", act("retry", undefined, "It is tried again"), { data: { act: "retry" } }),
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
    one.state === "approval" && h("p.guide", null, `What it does: ${does(one, run.parameters)}`,
      one.approvals.length > 0 && ` · approved by ${one.approvals.map((by) => by.who).join(" and ")}`),
    !OVER.includes(one.state) && one.guide && one.guide !== said && h("p.guide", null, one.guide));
}

/** The signed link, to be carried to one's own other device. */
function passed(one, { url, until }) {
  const copy = async ({ target }) => {
    field.select();
    // Browsers keep the clipboard from pages that came without TLS.
    target.textContent = await navigator.clipboard?.writeText(url).then(() => "Copied", () => null) ?? "Chosen: copy it";
  };
  const field = h("input", { value: url, readonly: true, "aria-label": "Link", onfocus: () => field.select() });
  tell(`Approve by link: ${one.title}`,
    h("p.warning", null, `Whoever has it can approve as ${session.name}: once, without signing in, until ${clock(until, false)} UTC. Send it to yourself alone.`),
    field, h("div.actions", null, button("Copy", copy, { class: "primary" })));
}

// ---- what is written down ----

function log(incident, runs, zero) {
  const titles = Object.fromEntries(incident.alerts.map((one) => [one.id, one.title]));
  const steps = Object.fromEntries(runs.flatMap((run) => run.definition.phases.flatMap((phase) => phase.steps.map((one) => [one.id, one.title]))));
  const what = (one) => one.who === "playbook" ? one.what.replace(/^\S+/, (id) => steps[id] ? `${steps[id]}:` : id) : one.what.replace(/_/g, " ");
  const about = (one) => [titles[one.subject], one.why].filter(Boolean).map(short).join(" · ");
  return card("Log", "every action, who and when", incident.timeline.length
    ? table("Log", ["Clock", "Who", "What"], [...incident.timeline].reverse().map((one) => h("tr", null,
      h("td", { title: `${clock(one.at)} UTC` }, tplus(Date.parse(one.at) - zero)), h("td", null, one.who),
      h("td.entity", null, what(one), h("span.note", null, ` ${about(one)}`)))))
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
