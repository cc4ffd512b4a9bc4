"""The trial counts what stood out: the rarest window, quiet moments that are rarer, the delay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from features.stream import TIME
from pipeline.simulate.scenarios import TRUTH
from pipeline.simulate.trial import false_alerts, results, summary

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BEGIN, END = START + 300 * MINUTE, START + 310 * MINUTE


def scored(rare: dict[tuple[str, int], float]) -> pl.DataFrame:
    """A day of minutes of the entities A and B, with the ``per_day`` of a few."""
    rows = [
        (e, START + m * MINUTE, START + (m + 1) * MINUTE, rare.get((e, m), 50.0))
        for m in range(1_440)
        for e in "AB"
    ]
    schema = {"entity": pl.String, "start": TIME, "end": TIME, "per_day": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def truth(kind: str) -> pl.DataFrame:
    row = ("S5", kind, "spoofing", "v", "A", BEGIN, END)
    return pl.DataFrame([row], schema=TRUTH, orient="row")


def test_an_attack_is_judged_by_its_rarest_window_against_quiet_moments() -> None:
    scores = scored({("A", 304): 0.01, ("A", 306): 0.001, ("B", 900): 1e-4, ("B", 901): 1e-5})
    (row,) = results(scores, truth("attack")).iter_rows(named=True)
    assert row["per_day"] == 0.001
    assert row["rank"] == 2  # B's two minutes are one moment
    assert row["delay"] == 5 * 60


def test_what_is_never_rare_has_no_delay() -> None:
    (row,) = results(scored({}), truth("attack")).iter_rows(named=True)
    assert (row["per_day"], row["delay"]) == (50.0, None)


def test_an_entity_that_was_not_scored_has_no_figures() -> None:
    scores = scored({}).filter(pl.col("entity") == "B")
    (row,) = results(scores, truth("attack")).iter_rows(named=True)
    assert (row["per_day"], row["rank"], row["delay"]) == (None, None, None)


@pytest.mark.parametrize(("kind", "alerts"), [("attack", 1), ("decoy", 2)])
def test_an_attack_explains_its_alerts_and_a_decoy_does_not(kind: str, alerts: int) -> None:
    scores = scored({("A", 304): 0.01, ("B", 900): 0.5, ("B", 905): 0.5})
    assert false_alerts(scores, truth(kind)) == pytest.approx(alerts, rel=0.1)


def test_the_table_has_a_row_for_each_scenario_and_view() -> None:
    both = [results(scored({("A", 304): 0.01}), truth(kind)) for kind in ("attack", "decoy")]
    text = summary(pl.concat(both), pl.DataFrame({"view": ["v"], "per_day": [2.0]}))
    head, row = text.splitlines()
    assert head.split()[0] == "view"
    assert " ".join(row.split()) == "S5 v 1 of 1 0.01 1 300 1 of 1 0.01 2"
