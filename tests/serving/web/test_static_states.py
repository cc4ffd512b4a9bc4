"""What the pages say when something is amiss: lost, cut off, signed out, or very much of it."""

from __future__ import annotations

import re

from playwright.sync_api import WebSocketRoute, expect

from tests.serving.web.conftest import Site, Visitor
from tests.serving.web.seeded import breach, breaches


def test_where_nothing_is_a_person_is_told_so_and_led_back(visit: Visitor) -> None:
    made = visit()
    page = made.open("/nowhere")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    expect(page.get_by_text("There is no page at /nowhere.")).to_be_visible()
    assert page.title() == "Not found · Tocsin"
    # The browser tells of the status of the page itself, and of nothing else.
    assert all("404" in line for line in made.told)
    made.told.clear()
    page.locator("main").get_by_role("link", name="Overview").click()
    expect(page.locator("body[data-page=overview][data-ready=yes]")).to_be_attached()


def test_while_the_live_channel_is_lost_the_page_says_since_when(visit: Visitor) -> None:
    made = visit(width=390)
    held: list[WebSocketRoute] = []

    def between(socket: WebSocketRoute) -> None:
        held.append(socket)
        if len(held) > 1:
            socket.close(code=1001)
        else:
            socket.connect_to_server()

    made.page.route_web_socket("**/v1/live*", between)
    page = made.open("/alerts")
    expect(page.locator("body[data-live=on]")).to_be_attached()
    held[0].close(code=1001)
    stale = re.compile(r"^stale since \d\d:\d\d:\d\d UTC")
    expect(page.locator("#live")).to_have_text(stale)
    page.get_by_role("link", name="Coverage").click()
    expect(page.locator("body[data-page=coverage][data-ready=yes]")).to_be_attached()
    expect(page.locator("#live")).to_have_text(stale)
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    expect(page.locator("#live")).to_be_in_viewport()


def test_a_session_that_ended_says_so_and_leads_back_to_where_one_was(visit: Visitor) -> None:
    made = visit()
    page = made.open("/alerts")
    page.context.clear_cookies()
    page.get_by_label("Order").select_option("newest")
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended")
    assert "order=newest" in page.url
    assert all("401" in line for line in made.told)
    made.told.clear()


def test_what_more_has_brought_stays_when_something_changes(visit: Visitor, site: Site) -> None:
    breaches(site.house, site.engine, [f"many-{n}" for n in range(60)], site.house.clock())
    page = visit("bob").open("/alerts")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="More").click()
    expect(page.get_by_role("button", name="More")).to_have_count(0)
    count = rows.count()
    assert count > 60
    breach(site.house, site.engine, "one-more", site.house.clock())
    expect(rows).to_have_count(count + 1)


def test_what_fires_stands_before_every_chart(visit: Visitor) -> None:
    page = visit().open("/")
    call = page.locator("main a.call").first
    expect(call).to_contain_text(" ago")
    assert page.locator("main a.call, main figure").first.get_attribute("class") == "call"
    call.click()
    expect(page.locator("body[data-page=alert][data-ready=yes]")).to_be_attached()
