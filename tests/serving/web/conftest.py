"""A browser, a house with a past behind a real server, and pages that somebody is signed in to.

Without a browser on this machine these tests are skipped with the reason; where ``CI=true`` they
fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright

from serving.alerts.engine import AlertEngine
from serving.auth import COOKIE
from serving.house import House
from serving.store.tables import alerts, incidents
from serving.store.users import sign_in
from tests.serving.web.seeded import PASSWORD, house_at, past, served

# A busy machine is slow, not wrong: what comes in the end has come.
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)

AXE = Path(__file__).parents[3] / ".cache/axe/node_modules/axe-core/axe.min.js"
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; its event loop must not outlive the module."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium on this machine; expected Debian's package chromium")
        pytest.skip("no chromium on this machine; see CONTRIBUTING.md")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=found, args=["--no-sandbox"]) as browser,
    ):
        yield browser


@dataclass
class Site:
    """A house, its address and its alert engine."""

    house: House
    url: str
    engine: AlertEngine
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, who: str) -> str:
        """The session of somebody, begun once: passwords are dear to check."""
        if who not in self.tokens:
            session = sign_in(self.house.engine, who, PASSWORD, now=self.house.clock())
            assert session is not None
            self.tokens[who] = session.token
        return self.tokens[who]

    def incident(self) -> str:
        """The incident for which a playbook runs; each step due in its first minutes has begun."""
        self.house.runner.tick(now=self.house.clock() + timedelta(minutes=6))
        return self._one(sa.select(incidents.c.id).where(incidents.c.playbook != ""))

    def alert(self, entity: str) -> str:
        """An alert of an entity."""
        return self._one(sa.select(alerts.c.id).where(alerts.c.entity == entity))

    def _one(self, query: sa.Select[tuple[str]]) -> str:
        with self.house.engine.connect() as connection:
            return str(connection.execute(query.limit(1)).scalar_one())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests: each looks for what it has made itself."""
    with house_at(tmp_path_factory.mktemp("house")) as house:
        engine = past(house, house.clock())
        house.runner.tick(now=house.clock())
        with served(house) as url:
            yield Site(house, url, engine)


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, which finds what keeps people from reading a page; it comes from npm."""
    if not AXE.is_file():
        if os.environ.get("CI") == "true":
            pytest.fail(f"no axe-core at {AXE}; expected what .ci/run puts there")
        pytest.skip("no axe-core on this machine; see CONTRIBUTING.md")
    return AXE.read_text(encoding="utf-8")


@dataclass
class Visit:
    """A page somebody is signed in to, and what the browser had to say about it."""

    page: Page
    url: str
    told: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to an address of the site, and wait until it is shown."""
        self.answers.clear()
        self.page.goto(self.url + path)
        self.page.wait_for_selector("body[data-ready=yes]")
        return self.page


Visitor = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visitor]:
    """Signs somebody in; what a browser complains of fails the test."""
    opened: list[Visit] = []

    def begin(who: str = "ann", *, width: int = 1400, theme: str = "dark") -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="light" if theme == "light" else "dark",
        )
        context.add_cookies([{"name": COOKIE, "value": site.token(who), "url": site.url}])
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        made = Visit(page, site.url)
        page.on("console", lambda one: made.told.append(one.text))
        page.on("pageerror", lambda one: made.told.append(str(one)))
        page.on("response", lambda one: made.answers.append(one))
        opened.append(made)
        return made

    yield begin
    told = [line for one in opened for line in one.told]
    for one in opened:
        one.page.context.close()
    assert told == []
