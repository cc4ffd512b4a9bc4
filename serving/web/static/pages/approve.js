// What a signed link opens: one step, what it does, and a button; no session is asked for.

import { api, attempt, button, clock, h, link, post, short } from "../core.js";
import { does } from "../parts.js";

export async function show(body, page) {
  const path = `/v1/approvals/${encodeURIComponent(page.token)}`;
  const found = await api(path);
  const standing = h("p", { role: "status" }), approve = h("div.actions");
  const paint = () => {
    const mine = found.approvals.some((one) => one.who === found.person);
    standing.textContent = found.state !== "approval" ? `It waits for nobody any more: ${found.state}.`
      : `${found.approvals.length} of ${found.people} have approved${mine ? ", you among them; somebody else must, too" : ""}.`;
    approve.replaceChildren(...(found.state === "approval" && !mine ? [button(`Approve as ${found.person}`, async () => {
      const now = await attempt(() => post(path), "Approved");
      if (now) { Object.assign(found, now); paint(); }
    }, { class: "primary", data: { act: "approve" } })] : []));
  };
  body.append(page.title(found.title, found.playbook), h("section.card.stack", { "aria-label": "What is asked of you" },
    h("p.why", null, `What it does: ${short(does(found, found.parameters))}`), standing,
    h("p.note", null, `The link is ${found.person}'s alone, and ends at ${clock(found.until, false)} UTC. To see more first: `, link(`/incidents/${encodeURIComponent(found.incident)}`, "the incident"), "."), approve));
  paint();
}
