"""What people do to a playbook's steps, in a real browser."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from playwright.sync_api import Browser, expect

from pipeline.database import upsert
from serving.store.tables import outbox, run_steps, runs
from tests.serving.web.conftest import Site, Visitor


def step(site: Site, name: str | None) -> dict[str, Any]:
    with site.house.engine.connect() as connection:
        asked = sa.select(run_steps).where(run_steps.c.step == name)
        return dict(connection.execute(asked).mappings().one())


def test_a_step_is_approved_and_another_is_signed_off_from_the_page(
    visit: Visitor, site: Site
) -> None:
    page = visit("ann").open(f"/incidents/{site.incident()}")
    waiting = page.locator(".step[data-state=approval]").first
    name = waiting.get_attribute("data-step")
    waiting.locator("button[data-act=approve]").click()
    expect(page.locator("#toasts")).to_contain_text("Approved")
    assert [one["who"] for one in step(site, name)["approvals"]] == ["ann"]
    by_hand = page.locator(".step[data-state=manual]").first
    done = by_hand.get_attribute("data-step")
    by_hand.locator("button[data-act=sign-off]").click()
    for box in page.locator("dialog textarea").all():
        box.fill("the deployment of 12:00")
    if page.locator("dialog").count():
        page.locator("dialog button[type=submit]").click()
    expect(page.locator(f".step[data-step='{done}'][data-state=done]")).to_be_visible()


def test_a_step_of_two_runs_is_approved_in_both_at_once(visit: Visitor, site: Site) -> None:
    incident = site.incident()
    with site.house.engine.begin() as connection:
        wanted = sa.select(runs).where(runs.c.incident == incident)
        run = dict(connection.execute(wanted).mappings().one())
        mine = run_steps.c.run == run["id"]
        rows = [
            dict(row) for row in connection.execute(sa.select(run_steps).where(mine)).mappings()
        ]
        connection.execute(runs.insert().values(**{**run, "id": "second"}))
        connection.execute(run_steps.insert(), [{**row, "run": "second"} for row in rows])
    try:
        page = visit("ann").open(f"/incidents/{incident}")
        button = page.locator("button[data-act=approve-all]").first
        name = button.locator("xpath=ancestor::*[@data-step]").get_attribute("data-step")
        expect(button).to_have_text("Approve in all 2 runs")
        button.click()
        expect(page.locator("#toasts")).to_contain_text("Approved in all runs")
        with site.house.engine.connect() as connection:
            asked = sa.select(run_steps.c.approvals).where(run_steps.c.step == name)
            found = connection.execute(asked).scalars().all()
        assert [[one["who"] for one in approvals] for approvals in found] == [["ann"], ["ann"]]
    finally:
        with site.house.engine.begin() as connection:
            connection.execute(run_steps.delete().where(run_steps.c.run == "second"))
            connection.execute(runs.delete().where(runs.c.id == "second"))
            upsert(connection, run_steps, rows)


def test_a_step_that_failed_is_tried_again(visit: Visitor, site: Site) -> None:
    page = visit("bob").open(f"/incidents/{site.incident()}")
    failed = page.locator(".step[data-state=failed]").first
    name = failed.get_attribute("data-step")
    failed.locator("button[data-act=retry]").click()
    expect(page.locator(f".step[data-step='{name}'][data-state=waiting]")).to_be_visible()
    assert step(site, name)["state"] == "waiting"


def test_broken_glass_asks_for_a_reason_and_cannot_be_overlooked(
    visit: Visitor, site: Site
) -> None:
    incident = site.incident()
    page = visit("bob").open(f"/incidents/{incident}")
    assert page.locator("button[data-act=approve]").count() > 0
    assert page.locator("button[data-act=force]").count() == 0
    page = visit("ann").open(f"/incidents/{incident}")
    waiting = page.locator(".step", has=page.locator("button[data-act=force]")).first
    name = waiting.get_attribute("data-step")
    waiting.locator("button[data-act=force]").click()
    dialog = page.locator("dialog")
    expect(dialog).to_contain_text("Every admin and owner is told at once, by your name.")
    dialog.get_by_role("button", name="Force it now").click()
    expect(dialog).to_be_visible()
    dialog.locator("textarea").fill("it loses money now")
    dialog.get_by_role("button", name="Force it now").click()
    expect(page.locator("main .warning")).to_contain_text("ann had")
    expect(page.locator("main .warning")).to_contain_text("it loses money now")
    assert step(site, name)["state"] == "approved"
    with site.house.engine.connect() as connection:
        told = [row.payload["detail"] for row in connection.execute(sa.select(outbox))]
    assert "ann" in {one["audience"] for one in told if one.get("forced")}


def test_a_signed_link_approves_on_another_device_and_only_once(
    visit: Visitor, site: Site, browser: Browser
) -> None:
    page = visit("bob").open(f"/incidents/{site.incident()}")
    waiting = page.locator(".step[data-state=approval]").first
    name = waiting.get_attribute("data-step")
    waiting.locator("button[data-act=link]").click()
    there = page.get_by_label("Link", exact=True).input_value()
    assert there.startswith(f"{site.house.settings.url}/approve/")
    path = there.removeprefix(site.house.settings.url)
    with browser.new_context(viewport={"width": 390, "height": 800}) as context:
        phone = context.new_page()
        phone.goto(site.url + path)
        expect(phone.get_by_text("What it does:")).to_be_visible()
        assert phone.evaluate("() => document.documentElement.scrollWidth") <= 390
        assert step(site, name)["state"] == "approval"
        phone.get_by_role("button", name="Approve as bob").click()
        expect(phone.get_by_text("It waits for nobody any more: approved.")).to_be_visible()
        phone.reload()
        expect(phone.get_by_text("It waits for nobody any more: approved.")).to_be_visible()
        expect(phone.get_by_role("button")).to_have_count(0)
        phone.goto(f"{site.url}{path}x")
        expect(phone.get_by_text("the link is not one of ours")).to_be_visible()
    assert [one["who"] for one in step(site, name)["approvals"]] == ["bob"]
