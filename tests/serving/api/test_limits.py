"""Limits of windows as a matrix: the same as asking each rung of each ladder for each window."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from features.catalogue import VIEWS
from features.view import FeatureView
from serving.api.limits import crossings, limits
from serving.api.matrices import EPOCH, MICROSECOND, Given
from serving.rules.load import PACKS, load_packs
from serving.rules.rule import COMPARE, Ladder

LADDERS = [one for pack in load_packs([PACKS]) for one in pack.ladders]
AT = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)


def windows(view: FeatureView, ladders: list[Ladder], count: int) -> Given:
    """Windows of which many are at, just over or far over a limit, or unknown."""
    rng = np.random.default_rng(0)
    values = rng.lognormal(2.0, 3.0, (count, len(view.names)))
    for ladder in ladders:
        for rung in ladder.rungs:
            rows = rng.random(count) < 0.3
            near = rng.choice([0.0, 1e-9, -1e-9, 5.0, -5.0], count) + rung.limit
            values[rows, view.names.index(ladder.feature)] = near[rows]
    values[rng.random(values.shape) < 0.05] = np.nan
    entity = [str(name) for name in rng.choice(["staff-1", "account 7", "x|y"], count)]
    minutes = rng.integers(0, 30, count)
    start = (AT - EPOCH) // MICROSECOND + minutes * 60_000_000
    return Given(entity, start.astype(np.int64), values)


def broken(view: FeatureView, ladder: Ladder, given: Given, row: int) -> int:
    """The same for one ladder and window, said plainly."""
    names, values = view.names, given.values[row].tolist()
    at = EPOCH + int(given.start[row]) * MICROSECOND
    begin, _, end = ladder.between.partition("-")
    if (ladder.only and not re.fullmatch(ladder.only, given.entity[row])) or (
        end and not begin <= f"{at:%H:%M}" < end
    ):
        return 0
    also = (COMPARE[a.operator](values[names.index(a.feature)], a.limit) for a in ladder.also)
    value = values[names.index(ladder.feature)]
    return sum(ladder.breaks(rung, value) for rung in ladder.rungs) if all(also) else 0


@pytest.mark.parametrize("name", sorted({one.view for one in LADDERS}))
def test_windows_cross_what_each_rung_alone_would_say(name: str) -> None:
    view, ladders = VIEWS[name], [one for one in LADDERS if one.view == name]
    given = windows(view, ladders, 200)
    found = crossings(view, ladders, given)
    plain = [
        [broken(view, ladder, given, row) for ladder in ladders] for row in range(len(given.entity))
    ]
    assert found.any()
    assert found.tolist() == plain


def test_the_highest_rung_is_told_with_its_value() -> None:
    view = VIEWS["system.host_1m"]
    ladders = [one for one in LADDERS if one.view == view.name and one.feature == "cpu_max"]
    values = np.full((2, len(view.names)), np.nan)
    values[:, view.names.index("cpu_max")] = 10.0, 86.0
    given = Given(["db-1", "db-2"], np.zeros(2, np.int64), values)
    calm, busy = limits(view, ladders, given, crossings(view, ladders, given))
    told: Any = busy[0]
    assert calm == []
    assert (told["severity"], told["value"], told["operator"]) == ("high", 86.0, ">=")
    assert "db-2" in told["words"]
    assert "86 %" in told["words"]
