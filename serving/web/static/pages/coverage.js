// Coverage: which requirement is answered by which rules, steps, features and panels.

import { api, card, empty, h, table, words } from "../core.js";

export async function show(body, page) {
  const [rules, playbooks, views, boards] = await Promise.all(["/v1/rules", "/v1/playbooks", "/v1/views", "/v1/dashboards"].map((path) => api(path)));
  const found = new Map();
  const add = (ids, kind, name) => { for (const id of ids) {
    if (!found.has(id)) found.set(id, { rules: [], steps: [], features: [], panels: [] });
    if (!found.get(id)[kind].includes(name)) found.get(id)[kind].push(name);
  } };
  const collect = (node) => {
    if (Array.isArray(node)) node.forEach(collect);
    else if (node && typeof node === "object") {
      if (node.requirement) add([node.requirement].flat().filter(Boolean), "rules", node.id ?? node.family ?? node.title ?? "");
      Object.values(node).forEach(collect);
    }
  };
  collect(rules.packs);
  for (const book of playbooks) {
    add(book.requirement ?? [], "steps", book.title);
    for (const phase of book.phases) for (const step of phase.steps) add(step.requirement ?? [], "steps", `${book.playbook}: ${step.title}`);
  }
  for (const view of views) for (const feature of view.features) add(feature.source.match(/\b[A-Z]{2,3}-[A-Z]*\d*[a-z]?\d*\b/g) ?? [], "features", `${view.name}: ${feature.name}`);
  for (const board of boards) for (const panel of board.panels) if (panel.requirement) add([panel.requirement], "panels", `${board.title}: ${panel.title}`);

  const area = (id) => id.split("-")[0];
  const areas = [...new Set([...found.keys()].map(area))].sort();
  const cell = (names) => h("td.entity", null, names.slice(0, 3).map((name) => h("div", null, name)), names.length > 3 && h("details", null, h("summary", null, `${names.length - 3} more`), names.slice(3).map((name) => h("div", null, name))));
  body.append(page.title("Coverage", `${found.size} requirements answered`),
    found.size ? "" : empty("No rule, step, feature or panel names a requirement."),
    ...areas.map((name) => {
      const ids = [...found.keys()].filter((id) => area(id) === name).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      return card(words(AREAS[name] ?? name), `${ids.length}`, table(name, ["Requirement", "Rules", "Playbook steps", "Features", "Panels"],
        ids.map((id) => h("tr", { data: { requirement: id } }, h("td", null, h("strong", null, id)), ["rules", "steps", "features", "panels"].map((kind) => cell(found.get(id)[kind]))))));
    }));
}

const AREAS = { SC: "smart contract compromise", PF: "performance degradation", HM: "hosts", TE: "trading engine", MD: "market data", SCM: "smart contracts, monitored",
  AR: "alert rules", TP: "trading patterns", SP: "security patterns", PA: "performance analytics", DS: "dashboards" };
