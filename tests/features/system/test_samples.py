"""What holds for samples of every kind: what is unknown stays null, whatever the batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import system
from features.silence import batch_windows
from features.stream import Stream
from features.view import FeatureView
from features.windows import Windower

VIEWS = (
    system.HOST_1M,
    system.DISK_1M,
    system.SERVICE_1M,
    system.DATABASE_1M,
    system.NETWORK_1M,
)
EVERY_VIEW = pytest.mark.parametrize("view", VIEWS, ids=lambda v: v.name)
Samples = Callable[[Stream, list[dict[str, Any]]], pl.DataFrame]
Windows = Callable[..., list[dict[str, Any]]]


@EVERY_VIEW
def test_an_exporter_that_tells_nothing_gives_null_and_never_zero(
    view: FeatureView, windows: Windows
) -> None:
    for window in windows(view, [{"at": at} for at in (-30, 0, 30, 60)]):
        known = {name for name in view.names if window[name] is not None}
        assert known == {"samples", "silence"}


@EVERY_VIEW
def test_counters_of_a_first_sample_have_no_increase(view: FeatureView, windows: Windows) -> None:
    totals = {c.name: 5.0 for c in view.stream.columns if not c.required and c.type == pl.Float64()}
    (window,) = windows(view, [{"at": 0, **totals}])

    of_counters = [
        f.name for f in view.features if any(r.endswith(("_increase", "elapsed")) for r in f.reads)
    ]
    assert of_counters
    assert {window[name] for name in of_counters} == {None}


@EVERY_VIEW
def test_an_entity_without_samples_is_silent_and_its_features_unknown(
    view: FeatureView, samples: Samples
) -> None:
    events = samples(view.stream, [{"at": 0}, {"at": 150}])
    empty = batch_windows(view, events).row(1, named=True)
    known = {name: empty[name] for name in view.names if empty[name] is not None}
    assert known == {"samples": 0, "silence": 120}


@pytest.mark.parametrize(
    ("stream", "column", "value"),
    [
        (system.HOST, "cpu", 100.5),
        (system.HOST, "memory", -0.1),
        (system.HOST, "latency", float("nan")),
        (system.DISK, "used", 101.0),
        (system.SERVICE, "queue", -1.0),
        (system.DATABASE, "queries", -1.0),
        (system.NETWORK, "sent_bytes", float("inf")),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(
    stream: Stream, column: str, value: float, samples: Samples
) -> None:
    with pytest.raises(ValueError, match=f"stream {stream.name}: row 0: .*: {column} = "):
        samples(stream, [{"at": 0, column: value}])


def test_windows_are_kept_as_long_as_the_requirements_say() -> None:
    kept = {v.name: v.retention.days for v in VIEWS}
    assert kept["system.host_1m"] == 30  # HM-CPU, HM-MEM
    assert kept["system.disk_1m"] == 90  # HM-DSK


@st.composite
def sampled(draw: st.DrawFn, view: FeatureView, samples: Samples) -> pl.DataFrame:
    """Samples of two entities at any moments, with gaps, ties, restarts and unknown values."""
    optional = [c for c in view.stream.columns if not c.required]
    size = draw(st.integers(1, 24))
    value = st.sampled_from([None, 0.0, 1.0, 7.25, 60.0, 100.0])
    rows = [
        {
            "at": draw(st.integers(0, 12)) * 12.5,
            view.entity[-1]: draw(st.sampled_from("ab")),
            **{c.name: draw(value) for c in optional if c.type == pl.Float64()},
        }
        for _ in range(size)
    ]
    return samples(view.stream, sorted(rows, key=lambda row: row["at"]))


@EVERY_VIEW
@settings(max_examples=12)
@given(data=st.data())
def test_any_split_and_any_order_within_the_lateness_give_the_windows_of_one_batch(
    view: FeatureView,
    data: st.DataObject,
    samples: Samples,
    noon: datetime,
    assert_same_windows: Callable[[pl.DataFrame, pl.DataFrame], None],
) -> None:
    view = replace(view, forget_after=data.draw(st.sampled_from([view.every, view.forget_after])))
    events = data.draw(sampled(view, samples))
    most = int(view.lateness.total_seconds())
    n = len(events)
    delay = data.draw(st.lists(st.integers(0, most), min_size=n, max_size=n))
    arrival = events["ts"] + pl.Series(delay, dtype=pl.Int64) * timedelta(seconds=1)
    arrived = events.select(pl.all().sort_by(arrival, maintain_order=True))
    cut = data.draw(st.integers(0, n))
    windower, now = Windower(view), noon + timedelta(days=1)

    steps = [windower.push(arrived[:cut], now), windower.push(arrived[cut:], now), windower.flush()]

    assert all(step.late.is_empty() for step in steps)
    assert_same_windows(pl.concat(s.windows for s in steps), batch_windows(view, events))
