"""Neighbouring rare windows are one moment, and moments come by rarity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from pipeline.scoring.rarest import rarest
from pipeline.scoring.scorer import SCORES

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
EVERY = timedelta(seconds=5)


def scores(rows: list[tuple[str, float, float]], *, warm: bool = True) -> pl.DataFrame:
    """Scores from (entity, seconds after noon, per_day)."""
    start = [NOON + timedelta(seconds=at) for _, at, _ in rows]
    per_day = [rate for *_, rate in rows]
    return pl.DataFrame(
        {
            "entity": [entity for entity, *_ in rows],
            "start": start,
            "end": [at + EVERY for at in start],
            "score": [10.0 - rate for rate in per_day],
            "p": [rate / 1e5 for rate in per_day],
            "per_day": per_day,
            "warm": [warm] * len(rows),
            "reasons": [[f"{entity} at {at:g}"] for entity, at, _ in rows],
        },
        schema=SCORES,
    )


def test_windows_less_than_ten_minutes_apart_are_one_moment_told_by_the_rarest() -> None:
    found = rarest(scores([("A", 0, 5.0), ("A", 604, 0.1), ("A", 1208, 2.0)]), most=9)
    assert found.height == 1
    moment = found.row(0, named=True)
    assert moment["start"] == NOON
    assert moment["end"] == NOON + timedelta(seconds=1213)
    assert moment["peak"] == NOON + timedelta(seconds=604)
    assert (moment["per_day"], moment["score"]) == (0.1, 9.9)
    assert moment["reasons"] == ["A at 604"]


def test_ten_minutes_apart_are_two_moments() -> None:
    assert rarest(scores([("A", 0, 5.0), ("A", 605, 0.1)]), most=9).height == 2


def test_moments_of_different_entities_stay_apart() -> None:
    found = rarest(scores([("A", 0, 5.0), ("B", 0, 0.1), ("A", 5, 4.0), ("B", 5, 7.0)]), most=9)
    assert found["entity"].to_list() == ["B", "A"]
    assert found["per_day"].to_list() == [0.1, 4.0]


def test_the_rarest_come_first_and_no_more_than_asked_for() -> None:
    rows = [("A", 1000.0 * i, float(rate)) for i, rate in enumerate((3, 1, 7, 2, 5))]
    assert rarest(scores(rows), most=3)["per_day"].to_list() == [1.0, 2.0, 3.0]


def test_the_order_of_rows_does_not_matter() -> None:
    table = scores([("A", 0, 5.0), ("B", 0, 0.1), ("A", 5, 4.0), ("A", 900, 7.0)])
    assert rarest(table.reverse(), most=9).equals(rarest(table, most=9))


def test_what_normal_life_brings_hourly_joins_no_moments() -> None:
    found = rarest(scores([("A", 0, 5.0), ("A", 400, 24.0), ("A", 800, 5.0)]), most=9)
    assert found.height == 2


def test_a_cold_score_is_no_moment() -> None:
    assert rarest(scores([("A", 0, 1e-9)], warm=False), most=9).is_empty()


def test_of_nothing_nothing_is_rarest() -> None:
    assert rarest(scores([]), most=9).is_empty()
