"""The page in a real browser: it opens, keeps its own strict policy, and has two themes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.report.render import html
from tests.pipeline.reporting import GOOD, ROWS, report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
DARK = "--blink-settings=preferredColorScheme=0"
REFUSED = "violates the following Content Security Policy"


@pytest.fixture(scope="module")
def browser() -> str:
    if CHROMIUM is None:
        reason = "no Chromium on the path"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return CHROMIUM


def seen(browser: str, page: str, folder: Path, *options: str) -> tuple[bytes, str]:
    """A picture of the page, and what the browser complained of."""
    folder.mkdir()
    (folder / "page.html").write_text(page, encoding="utf-8")
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-sync",
        "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}",
        f"--screenshot={folder / 'page.png'}",
        "--window-size=800,1200",
        *options,
        (folder / "page.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return (folder / "page.png").read_bytes(), done.stderr


def test_the_page_opens_in_both_themes_and_breaks_no_rule_of_its_own(
    browser: str, tmp_path: Path
) -> None:
    page = html(report(GOOD, ROWS))
    light, said = seen(browser, page, tmp_path / "light")
    assert REFUSED not in said
    # An empty page of this size is a few kilobytes.
    assert len(light) > 30_000
    dark, said = seen(browser, page, tmp_path / "dark", DARK)
    assert REFUSED not in said
    assert dark != light


def test_a_page_that_was_changed_is_refused_its_style(browser: str, tmp_path: Path) -> None:
    page = html(report(GOOD)).replace("<style>", "<style>p { color: red; }")
    _, said = seen(browser, page, tmp_path / "changed")
    assert REFUSED in said
