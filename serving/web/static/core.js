// What every page stands on: elements from text only, requests, the live channel, words for people.

// ---- elements: text never becomes markup, whatever an entity is called ----

/** An element with attributes, listeners (on...) and children; strings become text nodes. */
export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key in PROPERTIES) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
const PROPERTIES = { value: 1, checked: 1, disabled: 1, selected: 1 };

export const link = (path, ...children) => h("a", { href: path }, ...children);
export const card = (title, note, ...children) =>
  h("section.card", null, h("header", null, h("h2", null, title), note && h("span.note", null, note)), ...children);
export const empty = (text) => h("p.empty", null, text);
export const button = (text, onclick, more) => h("button", { type: "button", onclick, ...more }, text);
export const badge = (word) => h(`span.badge.${/^[a-z]+$/.test(word) ? word : "none"}`, null, word);

/** A table whose wide ones scroll inside themselves. */
export function table(caption, heads, rows, more) {
  const head = heads.map((one) => h("th", { scope: "col" }, one));
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": caption },
    h("table", more, h("thead", null, h("tr", null, head)), h("tbody", null, rows)));
}

/** Something short that the reader is told, and a screen reader too. */
export function toast(text, bad) {
  const one = h(bad ? "p.bad" : "p", null, text);
  document.getElementById("toasts").append(one);
  setTimeout(() => one.remove(), bad ? 9000 : 4000);
}

/** Something to read in a dialog, until it is closed. */
export function tell(title, ...children) {
  const dialog = h("dialog", { "aria-label": title, onclose: () => dialog.remove() },
    h("div.stack", null, h("h2", null, title), ...children, h("div.actions", null, button("Close", () => dialog.close()))));
  document.body.append(dialog);
  dialog.showModal();
}

/** Ask for texts in a dialog, after a warning where there is one; null when it is cancelled. */
export function ask(title, fields, done = "Save", warning = null) {
  return new Promise((resolve) => {
    const inputs = fields.map((field) => ({ ...field, input: h(field.long ? "textarea" : "input", {
      required: !field.optional, value: field.value ?? "", type: field.long ? null : field.type ?? "text", rows: field.long ? 4 : null }) }));
    const form = h("form", { method: "dialog" }, h("h2", null, title), warning && h("p.warning", null, warning),
      inputs.map(({ label, input }) => h("label", null, label, input)),
      h("div.actions", null, h(warning ? "button.danger" : "button.primary", { type: "submit" }, done),
        button("Cancel", () => dialog.close())));
    const dialog = h("dialog", { "aria-label": title }, form);
    let answer = null;
    form.addEventListener("submit", () => { answer = Object.fromEntries(inputs.map(({ name, input }) => [name, input.value])); });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// ---- requests ----

export const session = { name: "", role: "", csrf: "" };
const ROLES = ["viewer", "operator", "responder", "admin"];
export const may = (role) => ROLES.indexOf(session.role) >= ROLES.indexOf(role);

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `status ${status}`);
    this.status = status;
  }
}

let ahead = 0;

/** The time of the house, which in a demonstration is not that of the browser. */
export const houseNow = () => Date.now() + ahead;

/** JSON of the API; a problem is thrown with what it says. */
export async function api(path, { method = "GET", body, signal } = {}) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET") headers["x-csrf-token"] = session.csrf;
  const answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  const told_now = Date.parse(answer.headers.get("x-tocsin-now") ?? "");
  if (told_now) ahead = told_now - Date.now();
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 401) dispatchEvent(new Event("signedout"));
  throw new Problem(answer.status, told);
}

export const post = (path, body = {}) => api(path, { method: "POST", body });

/** Do something that changes the world, say how it went, then go on. */
export async function attempt(work, said) {
  try {
    const answer = await work();
    if (said) toast(said);
    return answer ?? true;
  } catch (problem) {
    toast(problem.message, true);
    return null;
  }
}

export const query = (given) => {
  const pairs = Object.entries(given).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).filter((one) => one !== null && one !== undefined && one !== "").map((one) => [name, one]));
  return new URLSearchParams(pairs).toString();
};

// ---- the live channel: one socket a tab, resumed by number ----

const live = { socket: null, sequence: null, heard: 0, wait: 500, listeners: new Set(), timer: 0 };

/** Be told of changes; gives a function that ends it. */
export function follow(listener) {
  live.listeners.add(listener);
  return () => live.listeners.delete(listener);
}

export function connect() {
  if (live.socket) return;
  const since = live.sequence === null ? "" : `?since=${live.sequence}`;
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/live${since}`);
  live.socket = socket;
  socket.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    live.wait = 500;
    live.heard = houseNow();
    state("on");
    if (told.kind === "pulse") return;
    // A snapshot after a break means that too much was missed: everything is read anew.
    const anew = told.kind === "snapshot" && live.sequence !== null;
    live.sequence = Math.max(told.sequence, live.sequence ?? 0);
    document.body.dataset.sequence = live.sequence;
    if (told.kind === "change") for (const listener of live.listeners) listener(told.change);
    else if (anew) for (const listener of live.listeners) listener({ kind: "all", fields: {} });
  };
  socket.onclose = () => {
    live.socket = null;
    if (!session.name) return;
    state("off");
    clearTimeout(live.timer);
    live.timer = setTimeout(connect, live.wait * (0.5 + Math.random()));
    live.wait = Math.min(live.wait * 2, 15000);
  };
}

export function disconnect() {
  clearTimeout(live.timer);
  live.sequence = null;
  live.socket?.close();
}

function state(word) {
  document.body.dataset.live = word;
  const shown = document.getElementById("live"), said = liveness();
  if (shown && shown.textContent !== said) shown.textContent = said;
}

/** Whether what is shown is of now, and if not, since when. */
export const liveness = () => document.body.dataset.live === "on" ? "live"
  : live.heard ? `stale since ${clock(live.heard)} UTC · reconnecting` : "connecting";

// ---- words ----

const two = (number) => String(number).padStart(2, "0");
export const clock = (time, seconds = true) => {
  const at = new Date(time);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}${seconds ? `:${two(at.getUTCSeconds())}` : ""}`;
};
export const day = (time) => new Date(time).toISOString().slice(0, 10);

/** A time for people: clock today, date before; the whole in its title. */
export function when(time) {
  if (!time) return h("span.muted", null, "never");
  const today = day(time) === day(houseNow());
  const whole = `${day(time)} ${clock(time)} UTC`;
  return h("time", { datetime: new Date(time).toISOString(), title: whole }, today ? clock(time) : `${day(time)} ${clock(time, false)}`);
}

/** How long ago, or until: "4 min". */
export function span(ms) {
  const s = Math.abs(ms) / 1000;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

/** How long ago, in small beside a time; `ages` keeps what is shown true. */
export const ago = (time) => h("div.note.ago", { data: { since: Date.parse(time) } }, past(Date.parse(time)));
const past = (at) => `${span(houseNow() - at)} ago`;
export const ages = () => { for (const one of document.querySelectorAll("[data-since]")) one.textContent = past(Number(one.dataset.since)); };

/** The incident clock: T+08:11, T+1:02:03. */
export function tplus(ms) {
  const s = Math.floor(Math.abs(ms) / 1000);
  const hours = Math.floor(s / 3600);
  return `T${ms < 0 ? "−" : "+"}${hours ? `${hours}:` : ""}${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e13) return value.toExponential(2).replace(/\.?0*e\+/, "e");
  if (size >= 1e9) return `${Number((value / 1e9).toPrecision(3))} G`;
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (size >= 1e5) return `${Number((value / 1e3).toPrecision(3))} k`;
  if (size >= 1e4) return Math.round(value).toLocaleString("en-US");
  if (size >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

/** How rare, from a rate a day, in the words that alerts use. */
export function rare(perDay) {
  if (perDay >= 1.5) return `${Math.round(perDay)} times a day`;
  const days = 1 / perDay;
  if (days < 1.5) return "once a day";
  return days > 365 ? "less than once a year" : `once in ${Math.round(days)} days`;
}

export const words = (name) => name.replace(/_/g, " ").replace(/^./, (c) => c.toUpperCase());
export const share = (part) => `${Math.round(part * 100)} %`;

/** Long ids and chain addresses in sentences, as short as people say them. */
export const short = (text) => text.replace(/\b([0-9a-f]{8})[0-9a-f]{24}\b/g, "$1").replace(/\b(0x[0-9a-f]{4})[0-9a-f]{32,56}([0-9a-f]{4})\b/gi, "$1…$2");

/** Call at most every 400 ms, the last call never lost. */
export function calmly(work) {
  let timer = 0, running = false, again = false;
  const run = async () => {
    timer = 0;
    if (running) { again = true; return; }
    running = true;
    try { await work(); } finally {
      running = false;
      if (again) { again = false; start(); }
    }
  };
  const start = () => { timer ||= setTimeout(run, 400); };
  return start;
}
