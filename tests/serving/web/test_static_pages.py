"""The pages in a real browser."""

from __future__ import annotations

from urllib.parse import quote

import sqlalchemy as sa
from playwright.sync_api import Browser, WebSocketRoute, expect

from pipeline.database import reading
from serving.alerts.acts import act
from serving.severity import Severity
from serving.store.tables import alerts, audit
from tests.serving.web.conftest import PLACES, Site, Visitor
from tests.serving.web.seeded import HOSTILE, PASSWORD, breach


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


def test_a_letter_leads_to_a_page_after_g_alone_however_new_the_page_is(visit: Visitor) -> None:
    page = visit("bob").open("/alerts")
    press = """([key, at]) => {
      const event = new KeyboardEvent("keydown", { key, bubbles: true });
      Object.defineProperty(event, "timeStamp", { value: at });
      document.body.dispatchEvent(event);
      return location.pathname;
    }"""
    assert page.evaluate(press, ["m", 100]) == "/alerts"
    assert page.evaluate(press, ["g", 200]) == "/alerts"
    assert page.evaluate(press, ["m", 300]) == "/models"
    assert page.evaluate(press, ["c", 400]) == "/models"


def test_who_may_only_look_is_offered_nothing_to_press(visit: Visitor, site: Site) -> None:
    page = visit("eve").open(f"/incidents/{site.incident()}")
    assert page.locator("[data-act]").count() == 0
    page = visit("eve").open("/alerts")
    page.get_by_label("Choose all").check()
    assert page.locator("[data-act]").count() == 0


def test_an_incident_is_closed_only_when_it_is_written_down(visit: Visitor, site: Site) -> None:
    made = visit("bob")
    page = made.open(f"/incidents/{site.incident()}")
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
        f"/alerts/{site.alert(HOSTILE)}",
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
    incident = f"/incidents/{site.incident()}"
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
    expect(page.locator("tr[data-entity='missed-1']").first).to_be_visible()
    expect(page.locator("body[data-live=on]")).to_be_attached()
    assert held[1].url.endswith(f"?since={before}")


def test_a_chart_is_read_by_keys(visit: Visitor) -> None:
    page = visit().open("/explorer?view=system.host_1m&entity=te-03&feature=cpu_mean")
    chart = page.locator("figure.chart canvas").first
    expect(page.locator("figure.chart canvas[data-drawn=yes]")).to_have_count(1)
    chart.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("figure.chart figcaption").first).to_contain_text("usual")


def test_what_needs_people_first_is_listed_first_until_the_newest_are_asked_for(
    visit: Visitor, site: Site
) -> None:
    breach(site.house, site.engine, "taken-1", site.house.clock())
    mine = site.alert("taken-1")
    with site.house.engine.begin() as connection:
        act(connection, [mine], "acknowledge", who="ann", now=site.house.clock())
    page = visit("bob").open("/alerts")
    states, grades = ["firing", "acknowledged", "pending"], [one.value for one in Severity][::-1]
    rows = page.locator("tbody tr")
    shown = rows.evaluate_all(
        "all => all.map((tr) => [tr.dataset.state, tr.querySelector('.badge').textContent])"
    )
    places = [(states.index(state), grades.index(severity)) for state, severity in shown]
    assert places == sorted(places)
    assert {state for state, _ in shown} >= {"firing", "acknowledged"}
    newest = sa.select(alerts.c.id).order_by(alerts.c.opened_at.desc(), alerts.c.id.desc())
    with reading(site.house.engine) as connection:
        first = str(connection.execute(newest.limit(1)).scalar_one())
    page.get_by_label("Order").select_option("newest")
    expect(rows.first).to_have_attribute("data-id", first)
    page.reload()
    expect(rows.first).to_have_attribute("data-id", first)
