// The shell: sign-in, navigation, theme; which module shows which address.

import { Problem, ages, api, button, connect, disconnect, follow, h, liveness, session, toast } from "./core.js";

const ROUTES = [
  [/^\/$/, "overview"],
  [/^\/overview\/(?<board>[a-z0-9_]+)$/, "overview"],
  [/^\/alerts$/, "alerts"],
  [/^\/alerts\/(?<id>[^/]+)$/, "alert"],
  [/^\/incidents$/, "incidents"],
  [/^\/incidents\/(?<id>[^/]+)$/, "incident"],
  [/^\/explorer$/, "explorer"],
  [/^\/silences$/, "silences"],
  [/^\/rules$/, "rules"],
  [/^\/coverage$/, "coverage"],
  [/^\/models$/, "models"],
  [/^\/approve\/(?<token>[^/]+)$/, "approve"],
];
// What is shown without a session: the address itself is the key.
const OPEN = "approve";
const NAVIGATION = [["/", "Overview"], ["/alerts", "Alerts"], ["/incidents", "Incidents"], ["/explorer", "Explorer"],
  ["/silences", "Silences"], ["/rules", "Rules"], ["/coverage", "Coverage"], ["/models", "Models"]];

const main = document.getElementById("main");
const top = document.getElementById("top");
let ends = [];
let turn = 0;

/** Show the page of the address; what the page before had going is ended. */
async function show() {
  const mine = ++turn;
  for (const end of ends) end();
  ends = [];
  document.body.dataset.ready = "no";
  const [name, found] = module(location.pathname);
  if (!session.name && name !== OPEN && !(await signedIn())) return;
  header();
  document.body.dataset.page = name ?? "lost";
  const body = h("div.page");
  const context = {
    ...found,
    search: new URLSearchParams(location.search),
    /** The page's title, and what stands small beside it. */
    title(text, ...notes) {
      document.title = `${text} · Tocsin`;
      return h("div.title", null, h("h1", null, text), h("span.note", null, ...notes));
    },
    live: (listener) => ends.push(follow(listener)),
    every(seconds, work) {
      const timer = setInterval(() => document.visibilityState === "visible" && work(), seconds * 1000);
      ends.push(() => clearInterval(timer));
    },
    end: (work) => ends.push(work),
    /** Change the address without leaving the page. */
    address: (path) => history.replaceState(null, "", path),
  };
  try {
    if (!name) throw new Problem(404, { detail: `There is no page at ${location.pathname}.` });
    const page = await import(`./pages/${name}.js`);
    if (mine !== turn) return;
    await page.show(body, context);
  } catch (problem) {
    if (!session.name && name !== OPEN) return;
    const title = { 403: "Not for you", 404: "Not found" }[problem.status] ?? "This page cannot be shown";
    body.replaceChildren(context.title(title), h("p.empty", null, problem.message),
      h("div.actions", null, button("Try again", show), h("a.button", { href: "/" }, "Overview")));
  }
  if (mine !== turn) return;
  main.replaceChildren(body);
  document.body.dataset.ready = "yes";
}

function module(path) {
  for (const [pattern, name] of ROUTES) {
    const found = pattern.exec(path);
    if (found) return [name, Object.fromEntries(Object.entries(found.groups ?? {}).map(([k, v]) => [k, decodeURIComponent(v)]))];
  }
  return [null, {}];
}

/** Go to an address of ours without loading anything twice. */
export function go(path) {
  history.pushState(null, "", path);
  scrollTo(0, 0);
  return show().then(() => main.focus({ preventScroll: true }));
}

function header() {
  if (!session.name) { top.replaceChildren(h("span.brand", null, "Tocsin")); return; }
  const here = location.pathname;
  const current = (path) => path === "/" ? here === "/" || here.startsWith("/overview") : here.startsWith(path);
  top.replaceChildren(
    h("span.brand", null, "Tocsin"),
    h("nav", { "aria-label": "Pages" }, NAVIGATION.map(([path, name]) =>
      h("a", { href: path, "aria-current": current(path) ? "page" : null }, name))),
    h("span.right", null,
      h("span", { id: "live", role: "status" }, liveness()),
      button(theme() === "dark" ? "Light theme" : "Dark theme", toggle, { id: "theme" }),
      h("span.muted.who", null, `${session.name} · ${session.role}`),
      button("Sign out", signOut, { id: "signout" })));
}

const theme = () => document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");

function setTheme(word) {
  document.documentElement.dataset.theme = word;
  dispatchEvent(new Event("themed"));
}

function toggle() {
  const word = theme() === "dark" ? "light" : "dark";
  try { localStorage.setItem("theme", word); } catch { /* a browser that keeps nothing still shows it */ }
  setTheme(word);
  document.getElementById("theme").textContent = word === "dark" ? "Light theme" : "Dark theme";
}

async function signedIn() {
  try {
    Object.assign(session, await api("/v1/session"));
  } catch (problem) {
    signIn(problem.status === 401 ? "" : problem.message);
    return false;
  }
  connect();
  return true;
}

function signIn(fault) {
  top.replaceChildren(h("span.brand", null, "Tocsin"));
  document.title = "Sign in · Tocsin";
  const name = h("input", { name: "name", autocomplete: "username", required: true });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const told = h("p.bad", { role: "alert" }, fault);
  const enter = h("button.primary", { type: "submit" }, "Sign in");
  const form = h("form.card.signin", { "aria-label": "Sign in" }, h("h1", null, "Sign in"),
    h("label", null, "Name", name), h("label", null, "Password", password), told, enter,
    h("p.muted", null, "An admin makes people with: tocsin users set NAME"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    enter.disabled = true;
    told.textContent = "";
    try {
      const given = { name: name.value, password: password.value };
      Object.assign(session, await api("/v1/session", { method: "POST", body: given }));
      connect();
      await show();
    } catch (problem) {
      told.textContent = problem.message;
      enter.disabled = false;
      password.select();
    }
  });
  main.replaceChildren(form);
  document.body.dataset.page = "signin";
  document.body.dataset.ready = "yes";
  name.focus();
}

async function signOut() {
  try { await api("/v1/session", { method: "DELETE" }); } catch (problem) { toast(problem.message, true); return; }
  leave();
}

function leave(why = "") {
  Object.assign(session, { name: "", role: "", csrf: "" });
  disconnect();
  for (const end of ends) end();
  ends = [];
  signIn(why);
}

addEventListener("signedout", () => { if (session.name) leave("Your session has ended. Sign in to go on where you were."); });
setInterval(ages, 15000);
addEventListener("popstate", show);
addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[href^='/']");
  if (!anchor || anchor.hasAttribute("download") || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(anchor.getAttribute("href"));
});
// Keys that take nothing away from typing: g then a letter goes to a page.
let led = -Infinity;
addEventListener("keydown", (event) => {
  if (event.target.closest?.("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "g") { led = event.timeStamp; return; }
  if (event.timeStamp - led > 1500) return;
  const target = NAVIGATION.find(([, name]) => name[0].toLowerCase() === event.key);
  led = -Infinity;
  if (target && session.name) go(target[0]);
});

try { const kept = localStorage.getItem("theme"); if (kept) setTheme(kept); } catch { /* nothing is kept */ }
show();
