"""Messages: the same facts in each form, as the golden files have them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.notify.message import SMS_LONGEST, facts, headline, page, plain, short
from serving.notify.notice import Notice
from tests.serving.notify.telling import NOON, PAGES, notice

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES: dict[str, Notice] = {
    "trigger": notice(),
    "again": notice(detail={**notice().detail, "again": 2, "instead_of": "sms: 500"}),
    "learned": notice(
        title="Unusual trading: BTC-USD",
        why="41 buy orders against 0.31 expected, 132 times; normal life brings this once a day",
        severity="medium",
        arms=["surge", "half_space_trees"],
        first_step="",
        detail={"entity": "BTC-USD", "entities": [f"S{i}" for i in range(9)], "risk": 41},
    ),
    "acknowledge": notice("acknowledge", why="acknowledged by ann", arms=[], detail={}, rarity=""),
    "resolve": notice("resolve", why="over for ten minutes", arms=[], detail={}, rarity=""),
    "notice": notice(
        "notice",
        title="Contract compromise: pause was not signed in time",
        why="the guardian has not signed",
        arms=[],
        rarity="",
        detail={"audience": "security", "run": "r1", "step": "pause"},
    ),
    "hostile": notice(title="<script>alert(1)</script>\r\nBcc: x", why="a & b <img onerror=1>"),
}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("form", ["sms", "txt", "html"])
def test_a_message_reads_as_it_was_approved(name: str, form: str) -> None:
    given = EXAMPLES[name]
    text, html = page(given, PAGES)
    written = {"sms": short(given, PAGES) + "\n", "txt": text, "html": html}[form]
    assert written == (GOLDEN / f"{name}.{form}").read_text(encoding="utf-8")


def test_a_page_says_everything_that_is_wanted_at_three_in_the_morning() -> None:
    told = dict(facts(EXAMPLES["trigger"]))
    assert told == {
        "Why": "db-1 uses 88 % of its memory",
        "Where": "db-1, db-2",
        "How bad": "high, risk 83 of 100",
        "How rare": "normal life brings this once in 40 days",
        "Since": "2026-03-01 11:57 UTC",
        "Seen by": "rule host.memory.high, isolation forest",
        "First step": "Find the process that grows and restart it.",
    }


texts = st.text(max_size=400)


@given(title=texts, why=texts, step=texts, incident=st.text("abc0", max_size=64))
def test_a_text_message_is_short_one_line_and_ends_with_its_link(
    title: str, why: str, step: str, incident: str
) -> None:
    given = notice(title=title, why=why, first_step=step, incident=incident)
    said = short(given, PAGES)
    assert len(said) <= SMS_LONGEST
    assert said.isprintable()
    assert said.endswith(f"{PAGES}/incidents/{incident}" if incident else f"{PAGES}/alerts")
    assert said.startswith(headline(given, 60).removesuffix("...").rstrip())


def test_a_text_message_keeps_since_when_and_what_first_when_the_reason_is_long() -> None:
    address = "0x44191001486f419d08bfe950f43ad9e30f0c246c"
    said = short(notice(title=f"Drained: {address}", why=f"of {address} " + "more " * 99), PAGES)
    assert "Drained: 0x4419..246c. of 0x4419..246c more" in said
    assert "more... Since 11:57 UTC. First: Find the process that grows and restart it. " in said


@given(texts)
def test_a_headline_is_one_line_whatever_is_in_it(text: str) -> None:
    assert headline(notice(title=text)).isprintable()
    assert plain(plain(text)) == plain(text)


def test_a_test_says_first_that_nothing_is_wrong() -> None:
    given = notice("notice", detail={"test": True}, since=NOON - timedelta(days=1))
    assert short(given, PAGES).startswith("TEST, nothing is wrong: ")
