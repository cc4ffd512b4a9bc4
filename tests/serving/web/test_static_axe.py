"""That everybody can read the pages: axe-core's rules for WCAG 2 and good practice, none broken."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.serving.web.conftest import PLACES, Site, Visitor

# What it is not sure of is no fault, but for contrast: there it must be able to tell, except of
# signs that are beside words and hidden from screen readers.
LOOK = """async (small) => {
  const rules = small ? { "target-size": { enabled: true } } : {};
  const found = await axe.run(document, { resultTypes: ["violations", "incomplete"], rules });
  const unsure = small ? [] : found.incomplete.filter((one) => one.id === "color-contrast");
  const told = (one, node) => `${one.id}: ${node.html.slice(0, 200)}`;
  return [...found.violations.flatMap((one) => one.nodes.map((node) => told(one, node))),
    ...unsure.flatMap((one) => one.nodes.filter((node) => !node.html.includes('aria-hidden="true"'))
      .map((node) => told(one, node)))];
}"""


def faults(page: Page, axe: str, *, small: bool = False) -> list[str]:
    """What axe-core finds on a page as it is shown now."""
    page.evaluate(axe)
    return [str(one) for one in page.evaluate(LOOK, small)]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_page_keeps_anybody_out(visit: Visitor, site: Site, axe: str, theme: str) -> None:
    made = visit(theme=theme)
    for path in (
        *PLACES,
        f"/incidents/{site.incident()}",
        f"/alerts/{site.alert('matching-engine')}",
    ):
        assert faults(made.open(path), axe) == [], path


def test_no_dialog_and_no_door_keeps_anybody_out(visit: Visitor, site: Site, axe: str) -> None:
    page = visit("ann").open(f"/incidents/{site.incident()}")
    for what in ("skip", "link"):
        page.locator(f"button[data-act={what}]").first.click()
        there = page.locator("dialog input, dialog textarea").first.input_value()
        assert faults(page, axe) == [], what
        page.keyboard.press("Escape")
    made = visit("bob")
    page = made.open(there.removeprefix(site.house.settings.url))
    assert faults(page, axe) == []
    page = made.open("/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector("body[data-page=signin]")
    assert faults(page, axe) == []


def test_on_a_phone_a_thumb_finds_what_it_wants(visit: Visitor, site: Site, axe: str) -> None:
    made = visit(width=390, theme="light")
    for path in (
        "/",
        "/alerts",
        f"/incidents/{site.incident()}",
        f"/alerts/{site.alert('matching-engine')}",
    ):
        assert faults(made.open(path), axe, small=True) == [], path


def test_the_checks_of_reading_can_fail(visit: Visitor, axe: str) -> None:
    page = visit().open("/silences")
    page.evaluate(
        """() => { const add = (tag, words) => { const e = document.createElement(tag);
          e.textContent = words; document.querySelector("main .page").append(e); return e; };
          add("button", ""); add("p", "faint").style.color = "rgb(60, 60, 60)"; add("h4", "leap");
          add("img", ""); }"""
    )
    found = {one.partition(":")[0] for one in faults(page, axe)}
    assert found == {"button-name", "color-contrast", "heading-order", "image-alt"}
