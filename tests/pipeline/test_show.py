"""What the demonstration found, for people and for machines."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from features.stream import TIME
from pipeline.demo import Demonstration
from pipeline.show import demonstration_json, demonstration_text

AT = datetime(2026, 3, 6, 17, tzinfo=UTC)


@pytest.fixture
def shown() -> Demonstration:
    found = pl.DataFrame(
        {
            "entity": ["WREN", "LINK"],
            "start": [AT, AT - timedelta(days=1)],
            "end": [AT + timedelta(minutes=2), AT - timedelta(hours=23)],
            "peak": [AT, AT - timedelta(days=1)],
            "score": [9.5, 4.0],
            "per_day": [0.025, 3.0],
            "reasons": [["buy_orders 41 orders against 0.31", "[red]x 2 against 1"], []],
            "truth": ["pump", None],
        },
        schema_overrides={"start": TIME, "end": TIME, "peak": TIME},
    )
    truth = pl.DataFrame(
        {"entity": ["WREN"], "start": [AT], "end": [AT + timedelta(minutes=15)], "kind": ["pump"]}
    )
    return Demonstration(123_456, 654_321, found, truth, {"cpu_mean": 12.4, "memory_mean": 50.0})


def test_the_json_says_all_that_was_found(shown: Demonstration) -> None:
    told = json.loads(json.dumps(demonstration_json(shown), allow_nan=False))
    assert list(told) == ["trades", "windows", "found", "truth", "machine"]
    assert told["found"][0] == {
        "entity": "WREN",
        "start": "2026-03-06T17:00:00+00:00",
        "end": "2026-03-06T17:02:00+00:00",
        "peak": "2026-03-06T17:00:00+00:00",
        "score": 9.5,
        "per_day": 0.025,
        "reasons": ["buy_orders 41 orders against 0.31", "[red]x 2 against 1"],
        "truth": "pump",
    }
    assert told["found"][1]["truth"] is None
    assert told["truth"][0]["kind"] == "pump"
    assert told["machine"] == {"cpu_mean": 12.4, "memory_mean": 50.0}


def test_the_text_says_who_when_how_rare_and_why(
    shown: Demonstration, capsys: pytest.CaptureFixture[str]
) -> None:
    demonstration_text(shown)
    text = capsys.readouterr().out
    for part in (
        "WREN",
        "Fri 06 17:00:00",
        "to 17:02:00",
        "once in 40 days",
        "buy_orders 41 orders against 0.31",
        "3 times a day",
        "123,456",
        "654,321",
        "hidden in them: pump of WREN",
        "CPU 12 %, memory 50 %",
    ):
        assert part in text, part


def test_a_machine_that_tells_nothing_is_not_shown(
    shown: Demonstration, capsys: pytest.CaptureFixture[str]
) -> None:
    demonstration_text(replace(shown, machine={}))
    assert "this machine" not in capsys.readouterr().out
