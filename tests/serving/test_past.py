"""The past as steps: every window once, with its scores, whatever the steps."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.lake import Lake
from serving.past import Past, past_of, views_in
from tests.serving.alerts.alerting import HOST, NOON

MINUTE = timedelta(minutes=1)
ARMS = ("isolation_forest", "half_space_trees", "bands", "change", "nearest_normal", "surge")


def _past(rates: list[float | None]) -> Past:
    rows = [
        {"entity": "a", "start": NOON + i * MINUTE, "end": NOON + (i + 1) * MINUTE}
        for i in range(len(rates))
    ]
    windows = pl.DataFrame(rows, schema=dict(HOST.schema))
    tails = [None if rate is None else min(1.0, rate / 1440) for rate in rates]
    scores = windows.select("entity", "start", "end").with_columns(
        pl.Series("per_day", rates, pl.Float64),
        pl.Series("warm", [rate is not None for rate in rates]),
        pl.Series("p_bands", tails, pl.Float64),
        *(pl.lit(0.5).alias(f"p_{name}") for name in ARMS if name != "bands"),
    )
    return Past(HOST, windows, scores)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([None, 0.5, 2.0, 500.0]), min_size=1, max_size=12),
    st.lists(st.integers(0, 12), max_size=4),
)
def test_steps_hold_every_window_once_and_explain_the_rare_ones(
    rates: list[float | None], cuts: list[int]
) -> None:
    past = _past(rates)
    times = [NOON + n * MINUTE for n in sorted({0, *cuts, 12})]
    steps = list(past.steps(times, 1.0))
    assert pl.concat(step.windows for step in steps).equals(past.windows)
    assert pl.concat(step.scores for step in steps).equals(past.scores)
    told = [one for step in steps for one in step.explained]
    assert [one.per_day for one in told] == [rate for rate in rates if rate == 0.5]
    assert all(set(one.arms) == {"bands"} for one in told)
    for step in steps:
        assert {one.end for one in step.explained} <= set(step.windows["end"])


def test_what_nothing_scored_is_cold_and_what_nobody_measured_is_unknown(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    keys = dict(list(HOST.schema.items())[:3])
    row = {"entity": ["a"], "start": [NOON], "end": [NOON + MINUTE], "memory_max": [99.0]}
    lake.append(HOST.name, pl.DataFrame(row, schema_overrides=keys))
    past = past_of(lake, HOST)
    assert past.windows.columns == list(HOST.schema)
    assert past.windows["cpu_mean"].to_list() == [None]
    assert past.scores["warm"].to_list() == [False]
    assert [view.name for view in views_in(lake)] == [HOST.name]
