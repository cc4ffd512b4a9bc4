"""Expected ranges are in the feature's unit and around what is typical."""

from __future__ import annotations

import numpy as np
import pytest

from features.baseline import Deviations
from features.system import HOST_1M
from pipeline.scoring.arm import Arm, arms_of
from pipeline.scoring.expected import expected
from pipeline.scoring.inputs import Seen, inputs
from pipeline.scoring.reasons import Evidence

CPU, LOAD = (HOST_1M.names.index(name) for name in ("cpu_mean", "load_last"))


def evidence(arms: list[Arm], recent: float = 20.0) -> Evidence:
    shape = (300, len(HOST_1M.names))
    rng = np.random.default_rng(0)
    off = rng.normal(size=shape)
    typical = np.full(shape, 20.0)
    deviations = Deviations(np.where(off == 0, recent, typical * np.exp(0.2 * off)), typical, off)
    number = np.zeros(300, np.int64)
    told = Seen(deviations, number, number)
    seen = np.hstack([given.build(told) for given in inputs(HOST_1M).values()])
    ones = np.ones((300, len(arms)))
    return Evidence(HOST_1M, arms, deviations, seen, ones, ones, 1.0)


def test_a_range_is_three_spreads_around_what_is_usual_in_the_features_unit() -> None:
    bands = [arm for arm in arms_of(inputs(HOST_1M), seed=0) if arm.name == "bands"]
    shown = evidence(bands)
    bands[0].detector.fit(bands[0].of(shown.seen), seed=0)
    low, middle, high = expected(shown, np.arange(2))
    assert (low < middle).all()
    assert (middle < high).all()
    # Load is compared by its quotient: a spread of 0.2 in its logarithm.
    assert high[0, LOAD] == pytest.approx(20.0 * np.exp(3 * 0.2), rel=0.15)
    assert low[0, LOAD] == pytest.approx(20.0 * np.exp(-3 * 0.2), rel=0.15)
    assert high[0, CPU] - 20.0 == pytest.approx(20.0 * 3 * 0.2, rel=0.2)


def test_before_anything_is_known_there_is_no_range() -> None:
    arms = arms_of(inputs(HOST_1M), seed=0)
    assert np.isnan(expected(evidence(arms), np.arange(3))).all()
