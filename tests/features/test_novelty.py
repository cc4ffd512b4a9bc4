"""The memory of values: like a dictionary in use order, and the same live as in history."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import novelty
from features.access import KEY_1M
from features.novelty import latest_values, new_values
from features.silence import batch_windows
from features.windows import Windower

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROW = st.tuples(
    st.sampled_from([0, 30, 60, 600, 86_400, 5 * 86_400]),
    st.sampled_from(["k", "l", None]),
    st.sampled_from(["a", "b", "c", "d", None]),
)


def in_use_order(rows: list[tuple[bool, int, int, int]], most: int, span: int) -> list[bool]:
    """The same as the kernel, with a dictionary that is kept in the order of use."""
    memories: dict[int, OrderedDict[int, int]] = {}
    found = []
    for known, value, entity, start in rows:
        memory = memories.setdefault(entity, OrderedDict())
        for old in [v for v, at in memory.items() if start - at > span]:
            del memory[old]
        found.append(known and bool(memory) and value not in memory)
        if known:
            memory[value] = start
            memory.move_to_end(value)
            if len(memory) > most:
                memory.popitem(last=False)
    return found


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 1), st.integers(0, 3)),
        max_size=40,
    ),
    st.integers(1, 3),
    st.integers(0, 4),
)
@settings(max_examples=100)
def test_the_memory_forgets_what_was_used_longest_ago(
    steps: list[tuple[bool, int, int, int]], most: int, span: int
) -> None:
    steps.sort(key=lambda step: step[2])
    rows, start = [], 0
    for known, value, entity, step in steps:
        start += step
        rows.append((known, value, entity, start))
    columns = [
        np.array([row[i] for row in rows], kind)
        for i, kind in enumerate((np.bool_, np.uint32, np.uint32, np.int64))
    ]

    assert new_values(*columns, most, span).tolist() == in_use_order(rows, most, span)  # type: ignore[call-arg, arg-type]


def test_the_latest_values_are_the_last_events_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(novelty, "REMEMBERED", 2)
    events = pl.DataFrame({"e": list("xxxxxy"), "v": ["a", "b", "a", "c", None, "a"]})
    assert latest_values(events, ("e",), "v").to_list() == [False, False, True, True, False, True]


@given(st.lists(ROW, min_size=1, max_size=25), st.data())
@settings(max_examples=40, deadline=None)
def test_history_and_live_stream_remember_the_same(
    rows: list[tuple[int, str | None, str | None]], data: st.DataObject
) -> None:
    view = replace(KEY_1M, forget_after=timedelta(minutes=5))
    at = np.cumsum([row[0] for row in rows])
    frame = pl.DataFrame(
        {
            "ts": [NOON + timedelta(seconds=int(s)) for s in at],
            "kind": ["request"] * len(rows),
            "key": pl.Series([row[1] for row in rows], dtype=pl.String),
            "device": pl.Series([row[2] for row in rows], dtype=pl.String),
            "agent": pl.Series([row[2] for row in reversed(rows)], dtype=pl.String),
        }
    )
    now = NOON + timedelta(days=900)
    events = view.stream.validate(frame, now=now).events
    cuts = sorted({0, len(rows), *data.draw(st.lists(st.integers(0, len(rows)), max_size=5))})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(novelty, "REMEMBERED", 2)
        windower = Windower(view)
        steps = [windower.push(events[a:b], now) for a, b in pairwise(cuts)]
        live = pl.concat(step.windows for step in [*steps, windower.flush()])
        history = batch_windows(view, events)

    assert live.equals(history)
    most = 2 * (1 + 2 * len(view.remember))
    assert len(windower.state.previous) <= most


def test_events_that_name_no_entity_move_no_window_and_are_not_late(
    assert_same_windows: Callable[[pl.DataFrame, pl.DataFrame], None],
) -> None:
    frame = pl.DataFrame(
        {
            "ts": [NOON + timedelta(seconds=s) for s in (0, 3_600, 1, 61)],
            "kind": ["request"] * 4,
            "key": ["k", None, "k", "k"],
        }
    )
    now = NOON + timedelta(days=1)
    events = KEY_1M.stream.validate(frame, now=now).events
    windower = Windower(KEY_1M)
    steps = [windower.push(events[i : i + 1], now) for i in range(4)]
    closed = pl.concat(step.windows for step in [*steps, windower.flush()])

    assert all(step.late.is_empty() for step in steps)
    assert closed["count"].to_list() == [2, 1]
    assert_same_windows(closed, batch_windows(KEY_1M, events))
