"""What is said of an alert and of the whole: nothing that was missed is passed over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from serving.demo_text import WIDTH, block, table
from serving.demo_told import Told

AT = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
ALERT: dict[str, Any] = {
    "id": "a", "incident": "i", "view": "trades.symbol_1m", "entity": "LARKUSDT",
    "severity": "high", "title": "Rush: LARKUSDT", "why": "140 orders; usually 2 " * 8,
    "first_step": "Look who buys.", "risk": 71.4, "per_day": 0.025, "suppressed": "",
    "arms": {"forest": 0.7, "rule:abuse.pump.case": 1.0}, "fired_at": AT, "start": AT,
    "family": "abuse.pump", "playbook": "market_abuse",
}  # fmt: skip
STEP = {"playbook": "market_abuse", "step": "keep", "title": "Keep evidence", "state": "done"}


def row(kind: str, found: bool, pages: int) -> dict[str, Any]:
    return {
        "scenario": "S7", "title": "Pump", "kind": kind, "found": found, "stage": "pump",
        "delay": 12.0, "alerts": int(found), "pages": pages, "playbooks": ["market_abuse"],
    }  # fmt: skip


def result(*played: dict[str, Any]) -> dict[str, Any]:
    return {
        "from": AT.isoformat(), "until": AT.isoformat(), "played": list(played),
        "not_played": {"S10": "takes three weeks"}, "others": {"alerts": 4, "pages": 1},
        "before": {"alerts": 2},
    }  # fmt: skip


def test_a_block_says_what_where_how_bad_how_rare_why_and_what_to_do() -> None:
    text = block(Told("i", ALERT, [STEP], "S7 attack: pump, 12 s after it began"))
    for part in (
        "09:05:00  HIGH", "Rush: LARKUSDT", "trades.symbol_1m", "risk 71 of 100",
        "once in 40 days", "140 orders", "rule:abuse.pump.case, forest 70%", "Look who buys.",
        "market_abuse: Keep evidence: done", "S7 attack: pump",
    ):  # fmt: skip
        assert part in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_limit_that_was_crossed_is_not_called_rare() -> None:
    text = block(Told("i", ALERT | {"per_day": None, "suppressed": "maintenance x"}))
    assert "normal life" not in text
    assert "not told maintenance x" in text


def test_steps_of_an_earlier_alert_stand_alone() -> None:
    assert block(Told("i", None, [STEP])) == "  playbook market_abuse: Keep evidence: done"


def test_what_was_missed_is_said() -> None:
    text = table(result(row("attack", False, 0), row("attack", True, 1)))
    assert "MISSED" in text
    assert "1 of 2 attacks were found" in text
    assert "Not played: S10, takes three weeks." in text
    assert "4 alerts and 1 pages belong to nobody" in text


def test_a_twin_that_wakes_somebody_is_said() -> None:
    text = table(result(row("decoy", True, 1), row("decoy", True, 0), row("decoy", False, 0)))
    assert [word for word in ("PAGED", "told", "quiet") if word in text] == [
        "PAGED",
        "told",
        "quiet",
    ]
    assert "1 of 3 twins woke somebody" in text
