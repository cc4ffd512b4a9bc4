"""What arms see: numbers worked out by hand, and a window with less of a deviation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.baseline import Deviations
from features.system import HOST_1M
from features.trading import SYMBOL_5S
from features.view import FeatureView
from pipeline.scoring.inputs import Seen, inputs, level_of, value_of

SATURDAY = datetime(2026, 1, 31, 13, 59, tzinfo=UTC)
NAMES = SYMBOL_5S.names


def seen(view: FeatureView, recent: float, typical: float, *, z: float = 1.0) -> Seen:
    shape = (1, len(view.names))
    start = np.array([(SATURDAY - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)])
    deviations = Deviations(np.full(shape, recent), np.full(shape, typical), np.full(shape, z))
    return Seen(deviations, np.array([7]), start)


def column(view: FeatureView, name: str, given: str, of: Seen) -> float:
    found = inputs(view)[given]
    return float(found.build(of)[0, found.columns.index(name)])


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("buy_orders", np.log(2.0) / np.log(1.1)),  # amounts: by their quotient
        ("taker_imbalance", 10.0),  # levels: by their difference, in tenths
        ("price_return", 10.0),
    ],
)
def test_a_difference_is_counted_in_what_matters_in_practice(name: str, steps: float) -> None:
    recent, typical = (0.4, 0.2) if name != "price_return" else (0.02, 0.01)
    of = seen(SYMBOL_5S, recent, typical)
    assert column(SYMBOL_5S, name, "differences", of) == pytest.approx(steps)
    back = value_of(
        SYMBOL_5S, of.deviations.typical, inputs(SYMBOL_5S)["differences"].build(of)[:, :-2]
    )
    np.testing.assert_allclose(back, recent)


def test_a_percentage_point_is_the_least_of_a_percentage() -> None:
    of = seen(HOST_1M, 5.0, 2.0)
    assert column(HOST_1M, "cpu_mean", "differences", of) == pytest.approx(3.0)


def test_hour_and_weekday_are_those_of_the_start_in_utc() -> None:
    of = seen(SYMBOL_5S, 1.0, 1.0)
    assert column(SYMBOL_5S, "hour_of_day", "differences", of) == 13.0
    assert column(SYMBOL_5S, "day_of_week", "differences", of) == SATURDAY.weekday() == 5


def test_levels_are_steps_of_the_main_features_with_entity_and_time() -> None:
    of = seen(SYMBOL_5S, 1.0, 8.0)
    given = inputs(SYMBOL_5S)["levels"]
    assert given.columns == (*SYMBOL_5S.main, "entity", "time")
    (row,) = given.build(of)
    assert row[-2:].tolist() == [7.0, of.start[0]]
    assert level_of(SYMBOL_5S, NAMES.index("buy_orders"), row[0]) == pytest.approx(8.0)
    assert len(inputs(HOST_1M)["levels"].columns) == len(HOST_1M.names) + 2


@pytest.mark.parametrize("value", [0.004, 0.5, 80.0])
def test_a_level_can_be_told_from_its_steps(value: float) -> None:
    of = seen(HOST_1M, 1.0, value)
    place = HOST_1M.names.index("cpu_mean")
    steps = inputs(HOST_1M)["levels"].build(of)[0, place]
    assert level_of(HOST_1M, place, steps) == pytest.approx(value)


def test_what_is_not_known_is_0_in_every_input() -> None:
    of = seen(SYMBOL_5S, np.nan, np.nan, z=0.0)
    for name, given in inputs(SYMBOL_5S).items():
        X = given.build(of)
        assert np.isfinite(X).all()
        assert (X[:, : len(given.features)] == 0.0).all(), name


def test_a_window_that_keeps_nothing_of_its_deviation_is_as_expected() -> None:
    of = seen(SYMBOL_5S, 4.0, 2.0)
    as_expected = seen(SYMBOL_5S, 2.0, 2.0, z=0.0)
    trials = np.vstack([np.zeros(len(NAMES)), np.ones(len(NAMES))])
    for name, given in inputs(SYMBOL_5S).items():
        row = given.build(of)[0]
        none, all_of_it = given.kept(row, trials)
        np.testing.assert_allclose(all_of_it, row, err_msg=name)
        np.testing.assert_allclose(none, given.build(as_expected)[0], atol=1e-12, err_msg=name)
