"""The pages in a real browser."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import sqlalchemy as sa
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from serving.store.tables import alerts, audit, incidents, run_steps
from tests.serving.web.conftest import Site, Visitor
from tests.serving.web.seeded import HOSTILE, PASSWORD, breach

PLACES = [
    "/",
    "/overview/trading",
    "/overview/security",
    "/alerts?state=all",
    "/incidents?state=all",
    "/explorer?view=trades.symbol_1m",
    "/silences",
    "/rules",
    "/coverage",
    "/models",
]


def one(site: Site, query: sa.Select[tuple[str]]) -> str:
    with site.house.engine.connect() as connection:
        return str(connection.execute(query.limit(1)).scalar_one())


def incident_with_playbook(site: Site) -> str:
    return one(site, sa.select(incidents.c.id).where(incidents.c.playbook != ""))


def alert_of(site: Site, entity: str) -> str:
    return one(site, sa.select(alerts.c.id).where(alerts.c.entity == entity))


def test_a_stranger_signs_in_and_out_and_a_wrong_password_says_so(
    browser: Browser, site: Site
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{site.url}/alerts")
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill("wrong password")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("the name or the password is wrong")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("body[data-page=alerts][data-ready=yes]")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.locator("body[data-page=signin]")).to_be_visible()
        page.reload()
        expect(page.locator("body[data-page=signin]")).to_be_visible()


def test_every_page_is_shown_on_a_phone_without_moving_sideways(visit: Visitor) -> None:
    made = visit(width=390, theme="light")
    for path in PLACES:
        page = made.open(path)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390, path
        assert page.locator("h1").count() == 1
        assert "cannot be shown" not in page.locator("h1").inner_text()


def test_an_alert_that_fires_comes_by_itself_and_a_row_is_acknowledged(
    visit: Visitor, site: Site
) -> None:
    page = visit("bob").open("/alerts")
    expect(page.locator("body[data-live=on]")).to_be_attached()
    breach(site.house, site.engine, "fresh-1", site.house.clock())
    row = page.locator("tr[data-entity='fresh-1']")
    expect(row.first).to_be_visible()
    row.first.get_by_role("checkbox").check()
    page.locator("button[data-act=acknowledge]").click()
    expect(page.locator("tr[data-entity='fresh-1'][data-state=acknowledged]")).to_have_count(1)
    with site.house.engine.connect() as connection:
        asked = sa.select(audit.c.who).where(audit.c.what == "alert.acknowledge")
        assert "bob" in connection.execute(asked).scalars().all()


def test_alerts_are_driven_by_keys_alone(visit: Visitor, site: Site) -> None:
    breach(site.house, site.engine, "keys-1", site.house.clock())
    page = visit("bob").open(f"/alerts?entity={quote('keys-1')}")
    page.locator("h1").click()
    page.keyboard.press("x")
    expect(page.locator("tr[aria-selected=true]")).to_have_count(1)
    page.keyboard.press("a")
    expect(page.locator("tr[data-state=acknowledged]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("body[data-page=alert][data-ready=yes]")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page.locator("body[data-page=incidents][data-ready=yes]")).to_be_visible()


def test_who_may_only_look_is_offered_nothing_to_press(visit: Visitor, site: Site) -> None:
    page = visit("eve").open(f"/incidents/{incident_with_playbook(site)}")
    assert page.locator("[data-act]").count() == 0
    page = visit("eve").open("/alerts")
    page.get_by_label("Choose all").check()
    assert page.locator("[data-act]").count() == 0


def test_a_step_is_approved_and_another_is_signed_off_from_the_page(
    visit: Visitor, site: Site
) -> None:
    incident = incident_with_playbook(site)
    # The second phase is due five minutes after the first.
    site.house.runner.tick(now=site.house.clock() + timedelta(minutes=6))
    page = visit("ann").open(f"/incidents/{incident}")
    waiting = page.locator(".step[data-state=approval]").first
    name = waiting.get_attribute("data-step")
    waiting.locator("button[data-act=approve]").click()
    expect(page.locator("#toasts")).to_contain_text("Approved")
    with site.house.engine.connect() as connection:
        asked = sa.select(run_steps.c.approvals).where(run_steps.c.step == name)
        assert [one["who"] for one in connection.execute(asked).scalar_one()] == ["ann"]
    by_hand = page.locator(".step[data-state=manual]").first
    done = by_hand.get_attribute("data-step")
    by_hand.locator("button[data-act=sign-off]").click()
    for box in page.locator("dialog textarea").all():
        box.fill("the deployment of 12:00")
    if page.locator("dialog").count():
        page.locator("dialog button[type=submit]").click()
    expect(page.locator(f".step[data-step='{done}'][data-state=done]")).to_be_visible()


def test_an_incident_is_closed_only_when_it_is_written_down(visit: Visitor, site: Site) -> None:
    made = visit("bob")
    page = made.open(f"/incidents/{incident_with_playbook(site)}")
    page.locator("button[data-act=close]").click()
    expect(page.locator("#toasts")).to_contain_text("cannot be closed")
    assert "409" in made.told.pop()
    for name in ("timeline", "metrics", "action_taken", "resolution"):
        page.locator(f"textarea[name={name}]").fill(f"about {name}")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Saved")
    expect(page.get_by_text("All fields are filled.")).to_be_visible()


def test_a_silence_shows_what_it_would_mute_before_it_is_made(visit: Visitor, site: Site) -> None:
    breach(site.house, site.engine, "quiet-1", site.house.clock())
    page = visit("bob").open("/silences?entity=quiet-1")
    expect(page.locator("[data-count='1']")).to_be_visible()
    page.get_by_label("Why").fill("its memory is being replaced")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.get_by_text("entity = quiet-1")).to_be_visible()


def test_a_hostile_name_is_text_and_nothing_else(visit: Visitor, site: Site) -> None:
    name = quote(HOSTILE, safe="")
    for path in (
        "/overview/trading",
        "/alerts",
        f"/alerts/{alert_of(site, HOSTILE)}",
        f"/explorer?view=trades.symbol_1m&entity={name}",
        f"/silences?entity={name}",
        "/incidents",
    ):
        page = visit().open(path)
        shown = page.locator("body").inner_text() + "".join(
            box.input_value() for box in page.locator("input:not([type=checkbox])").all()
        )
        assert HOSTILE in shown, path
        assert page.locator("main img").count() == 0
        assert page.title() != "owned"


def test_themes_follow_the_system_until_somebody_chooses(visit: Visitor) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light, dark = visit(theme="light").open("/models"), visit(theme="dark").open("/models")
    assert light.evaluate(ground) != dark.evaluate(ground)
    dark.get_by_role("button", name="Light theme").click()
    assert dark.evaluate(ground) == light.evaluate(ground)
    dark.reload()
    dark.wait_for_selector("body[data-ready=yes]")
    assert dark.evaluate(ground) == light.evaluate(ground)


def test_a_page_is_light_and_asks_little(visit: Visitor, site: Site) -> None:
    incident = f"/incidents/{incident_with_playbook(site)}"
    for path in ("/", "/overview/trading", "/overview/security", "/alerts", incident):
        made = visit()
        made.open(path)
        assert len(made.answers) <= 10, [one.url for one in made.answers]
        assert sum(len(one.body()) for one in made.answers) <= 150_000, path


def test_a_lost_connection_is_taken_up_where_it_broke(visit: Visitor, site: Site) -> None:
    made = visit()
    held: list[WebSocketRoute] = []

    def between(socket: WebSocketRoute) -> None:
        held.append(socket)
        socket.connect_to_server()

    made.page.route_web_socket("**/v1/live*", between)
    page = made.open("/alerts")
    expect(page.locator("body[data-live=on]")).to_be_attached()
    before = page.evaluate("() => document.body.dataset.sequence")
    held[0].close(code=1001)
    breach(site.house, site.engine, "missed-1", site.house.clock())
    expect(page.locator("tr[data-entity='missed-1']").first).to_be_visible(timeout=20_000)
    expect(page.locator("body[data-live=on]")).to_be_attached()
    assert held[1].url.endswith(f"?since={before}")


def test_a_chart_is_read_by_keys(visit: Visitor) -> None:
    page = visit().open("/explorer?view=system.host_1m&entity=te-03&feature=cpu_mean")
    chart = page.locator("figure.chart canvas").first
    expect(page.locator("figure.chart canvas[data-drawn=yes]")).to_have_count(1)
    chart.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("figure.chart figcaption").first).to_contain_text("usual")


NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, textarea, canvas")]
  .filter((e) => e.getClientRects().length && !(e.getAttribute("aria-label") || e.title ||
    e.textContent.trim() || (e.labels && [...e.labels].some((l) => l.textContent.trim()))))
  .map((e) => e.outerHTML.slice(0, 200))"""
# Contrast of every text with the colour behind it, by WCAG 2.2, 1.4.3.
FAINT = """() => {
  const parts = (c) => c.match(/[\\d.]+/g).map(Number);
  const grey = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * grey(r) + 0.7152 * grey(g) + 0.0722 * grey(b);
  const behind = (e) => { for (; e; e = e.parentElement) {
    const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement, style = getComputedStyle(e);
    if (!node.data.trim() || !e.getClientRects().length || e.closest(".skip, :disabled")) continue;
    const a = light(parts(style.color)), b = light(behind(e)), size = parseFloat(style.fontSize);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${node.data.slice(0, 60)}`);
  }
  return found;
}"""
ODD = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  const levels = [...document.querySelectorAll("h1, h2, h3")].map((e) => Number(e.tagName[1]));
  return [...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `id twice: ${id}`),
    ...levels.filter((l, i) => i && l > levels[i - 1] + 1).map((l) => `heading h${l} after a leap`),
    ...[...document.querySelectorAll("th")].filter((e) => !e.textContent.trim() &&
      !e.querySelector("[aria-label]")).map(() => "a column without a name"),
    ...[...document.querySelectorAll("img:not([alt])")].map(() => "an image without words")];
}"""


def test_everything_has_a_name_and_can_be_read_in_both_themes(visit: Visitor, site: Site) -> None:
    made = visit()
    whole = [
        *PLACES,
        f"/incidents/{incident_with_playbook(site)}",
        f"/alerts/{alert_of(site, 'matching-engine')}",
    ]
    for path in whole:
        page = made.open(path)
        for law in (NAMELESS, FAINT, ODD):
            assert page.evaluate(law) == [], path
        page.emulate_media(color_scheme="light")
        assert page.evaluate(FAINT) == [], path
        page.emulate_media(color_scheme="dark")


def test_the_checks_of_reading_can_fail(visit: Visitor) -> None:
    page: Page = visit().open("/models")
    page.evaluate(
        """() => { const add = (tag, words) => { const e = document.createElement(tag);
          e.textContent = words; document.querySelector("main").append(e); return e; };
          add("button", ""); add("p", "faint").style.color = "rgb(60, 60, 60)";
          add("h3", "leap"); add("i", "").id = "main"; }"""
    )
    assert len(page.evaluate(NAMELESS)) == 1
    assert len(page.evaluate(FAINT)) == 1
    assert len(page.evaluate(ODD)) >= 1
