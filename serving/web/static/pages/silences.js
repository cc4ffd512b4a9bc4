// Silences: made with an end and a look at what they would mute; those there are.

import { api, attempt, button, calmly, card, clock, day, empty, h, may, houseNow, post, span, table, when } from "../core.js";

const HOURS = { "1 hour": 1, "4 hours": 4, "12 hours": 12, "1 day": 24, "7 days": 168 };
const OPERATORS = ["=", "!=", "=~", "!~"];

export async function show(body, page) {
  const holder = h("div.stack");
  const load = async () => {
    const [active, over] = await Promise.all([api("/v1/silences?active=true&limit=200"), api("/v1/silences?active=false&limit=20")]);
    holder.replaceChildren(list("In force", active.items, load, true), list("Over, or not begun", over.items, load, false));
  };
  body.append(page.title("Silences", "alerts that match are kept, and nobody is told"), may("responder") ? maker(page.search, load) : "", holder);
  await load();
  const calm = calmly(() => load().catch(() => {}));
  page.live((told) => { if (["silence", "all"].includes(told.kind)) calm(); });
}

function list(title, items, done, active) {
  const end = (one) => async () => { if (await attempt(() => post(`/v1/silences/${one.id}/end`), "Ended")) done(); };
  const rows = items.map((one) => h("tr", { data: { id: one.id } },
    h("td.entity", null, one.matchers.map((m) => `${m.label} ${m.operator} ${m.value}`).join(", ")),
    h("td", null, one.kind), h("td.entity", null, one.comment), h("td", null, one.created_by), h("td", null, when(one.starts_at)),
    h("td", null, when(one.ends_at), active && h("span.note", null, ` in ${span(Date.parse(one.ends_at) - houseNow())}`)),
    h("td", null, active && may("responder") && button("End now", end(one)))));
  return card(title, `${items.length}`, items.length ? table(title, ["Matches", "Kind", "Comment", "By", "From", "Until", "Action"], rows) : empty("None."));
}

function maker(search, done) {
  const matchers = h("div.stack"), preview = h("div", { role: "status" });
  const rowOf = (label, value) => {
    const made = h("div.filters", null,
      h("label", null, "Label", h("input", { name: "label", value: label, required: true })),
      h("label", null, "Is", h("select", { name: "operator" }, OPERATORS.map((one) => h("option", { value: one }, one)))),
      h("label", null, "Value", h("input", { name: "value", value, required: true })),
      button("Remove", () => { if (matchers.children.length > 1) { made.remove(); look(); } }));
    return made;
  };
  const given = () => [...matchers.children].map((one) => Object.fromEntries(["label", "operator", "value"].map((name) => [name, one.querySelector(`[name=${name}]`).value.trim()])))
    .filter((one) => one.label && one.value);
  let turn = 0;
  const look = calmly(async () => {
    const mine = ++turn, wanted = given();
    if (!wanted.length) { preview.textContent = "Say what it shall match."; return; }
    try {
      const found = await post("/v1/silences/preview", { matchers: wanted });
      if (mine !== turn) return;
      preview.dataset.count = found.count;
      preview.replaceChildren(h("p", null, found.count === 1 ? "1 open alert matches now:" : `${found.count} open alerts match now${found.count ? ":" : "."}`),
        h("ul", null, found.items.slice(0, 8).map((one) => h("li", null, h("a", { href: `/alerts/${encodeURIComponent(one.id)}` }, one.title), h("span.note", null, ` ${one.severity}, ${one.state}`)))));
    } catch (problem) { preview.replaceChildren(h("p.bad", null, problem.message)); }
  });
  const kind = h("select", null, ["silence", "maintenance"].map((one) => h("option", { value: one }, one)));
  const length = h("select", { "aria-describedby": "until" }, Object.keys(HOURS).map((one) => h("option", { value: one }, one)));
  const until = h("span.note", { id: "until" });
  const ends = () => new Date(houseNow() + HOURS[length.value] * 3600000);
  const tell = () => { until.textContent = `until ${day(ends())} ${clock(ends(), false)} UTC`; };
  length.addEventListener("change", tell);
  tell();
  const comment = h("input", { name: "comment", required: true, maxlength: 1000 });
  const save = async (event) => {
    event.preventDefault();
    const body = { kind: kind.value, matchers: given(), ends_at: ends().toISOString(), comment: comment.value };
    if (await attempt(() => post("/v1/silences", body), "Silenced")) { comment.value = ""; done(); }
  };
  matchers.append(rowOf("entity", search.get("entity") ?? ""));
  look();
  return card("Make a silence", "it always ends by itself", h("form", { onsubmit: save, oninput: look },
    matchers, h("div.actions", null, button("Another condition", () => matchers.append(rowOf("", "")))),
    h("div.filters", null, h("label", null, "Kind", kind), h("label", null, "For", length), until, h("label", null, "Why", comment)),
    preview, h("div.actions", null, h("button.primary", { type: "submit" }, "Silence"))));
}
