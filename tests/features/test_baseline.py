"""What is typical: an entity's own past, begun from the population's, learned robustly."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.baseline import Baseline, Deviations
from features.stream import TIME, Stream
from features.view import Feature, FeatureView

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
EVERY = timedelta(seconds=20)


def measured(name: str, unit: str, scale: str) -> Feature:
    return Feature(name, "Made up.", (), pl.lit, unit, scale=scale)  # type: ignore[arg-type]


NAMES = ("level", "orders", "notional", "silence")
VIEW = FeatureView(
    "made_up.entity_20s",
    Stream("made_up", (), ("id",)),
    ("entity",),
    EVERY,
    (
        measured("level", "%", "level"),
        measured("orders", "orders", "ratio"),
        measured("notional", "quote", "ratio"),
    ),
    recent=timedelta(minutes=1),
)
"""A level, a ratio shared by the population, and an amount in the entity's own currency."""

Row = tuple[str, int, float | None, float | None, float | None]
"""Entity, number of its window, level, orders, notional."""


def windows(rows: list[Row]) -> pl.DataFrame:
    start = [NOON + n * EVERY for _, n, *_ in rows]
    return pl.DataFrame(
        {
            "entity": [row[0] for row in rows],
            "start": pl.Series(start, dtype=TIME),
            "end": pl.Series([at + EVERY for at in start], dtype=TIME),
            **{
                name: pl.Series([row[2 + i] for row in rows], dtype=pl.Float64)
                for i, name in enumerate(NAMES[:3])
            },
            "silence": pl.Series([1.0] * len(rows), dtype=pl.Float64),
        }
    ).sort("start", "entity")


def steady(
    entity: str,
    count: int,
    *,
    first: int = 0,
    level: float = 10.0,
    size: float = 1.0,
    seed: int = 0,
) -> list[Row]:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count, 3))
    return [
        (
            entity,
            first + i,
            level + noise[i, 0],
            5.0 * float(np.exp(0.5 * noise[i, 1])),
            size * float(np.exp(0.5 * noise[i, 2])),
        )
        for i in range(count)
    ]


def assert_same(one: Deviations, other: Deviations) -> None:
    for part in ("recent", "typical", "z"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part), err_msg=part)


def joined(parts: list[Deviations]) -> Deviations:
    return Deviations(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("recent", "typical", "z"))
    )


LEVELS = st.sampled_from([None, 0.0, 9.0, 10.0, 11.0, 1e9, -5.0])
AMOUNTS = st.sampled_from([None, 0.0, 0.1, 1.0, 2.0, 1e-7, 1e12])
histories = st.lists(
    st.tuples(st.sampled_from(["a", "b", "new"]), st.integers(0, 60), LEVELS, AMOUNTS, AMOUNTS),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:2],
).map(windows)


@given(history=histories, data=st.data())
def test_a_history_at_once_equals_any_cut_into_steps(
    history: pl.DataFrame, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(history)), max_size=5)))
    whole, stepped = Baseline(VIEW), Baseline(VIEW)
    edges = [0, *cuts, len(history)]
    parts = [stepped.update(history[a:b]) for a, b in pairwise(edges)]
    assert_same(whole.update(history), joined(parts))
    assert_same_state(whole, stepped)


@given(history=histories, data=st.data())
def test_a_restored_baseline_goes_on_bit_for_bit(
    history: pl.DataFrame, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(history)))
    uninterrupted, first = Baseline(VIEW), Baseline(VIEW)
    uninterrupted.update(history[:cut])
    first.update(history[:cut])
    second = Baseline.from_state(VIEW, first.state())
    assert_same(uninterrupted.update(history[cut:]), second.update(history[cut:]))
    assert_same_state(uninterrupted, second)


@given(history=histories, data=st.data())
def test_nothing_later_changes_what_was_said(history: pl.DataFrame, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(history)))
    other = history.with_columns(
        pl.when(pl.int_range(pl.len()) < cut).then(pl.col(name)).otherwise(pl.lit(777.0))
        for name in NAMES
    )
    one, two = Baseline(VIEW).update(history), Baseline(VIEW).update(other)
    for part in ("recent", "typical", "z"):
        np.testing.assert_array_equal(getattr(one, part)[:cut], getattr(two, part)[:cut])


@given(history=histories)
def test_z_is_finite_and_zero_where_nothing_is_known(history: pl.DataFrame) -> None:
    found = Baseline(VIEW).update(history)
    assert np.isfinite(found.z).all()
    assert (found.z[np.isnan(found.recent)] == 0).all()


def assert_same_state(one: Baseline, other: Baseline) -> None:
    left, right = one.state(), other.state()
    for part in left:
        np.testing.assert_array_equal(left[part], right[part], err_msg=part)


def test_the_first_window_of_all_is_typical_of_itself() -> None:
    found = Baseline(VIEW).update(windows([("a", 0, 10.0, 5.0, 1.0)]))
    np.testing.assert_array_equal(found.z, 0.0)
    np.testing.assert_allclose(found.typical, found.recent, rtol=1e-12)


def test_recent_is_the_mean_of_the_windows_of_the_last_minute_that_are_known() -> None:
    rows: list[Row] = [("a", n, level, None, None) for n, level in enumerate((1, 2, None, 4, 8))]
    found = Baseline(VIEW).update(windows([*rows, ("a", 9, 5.0, None, None)]))
    np.testing.assert_array_equal(found.recent[:, 0], [1.0, 1.5, 1.5, 3.0, 6.0, 5.0])


def test_a_new_entity_is_judged_by_the_population() -> None:
    baseline = Baseline(VIEW)
    baseline.update(windows(steady("old", 400) + steady("older", 400, seed=1)))
    (z, orders, *_), (typical, *_) = (
        x[0]
        for x in (lambda d: (d.z, d.typical))(
            baseline.update(windows([("new", 400, 16.0, 5.0, 1.0)]))
        )
    )
    assert typical == pytest.approx(10.0, abs=0.2)
    assert z > 4
    assert abs(orders) < 1


def test_an_old_entity_is_judged_by_its_own_past() -> None:
    baseline = Baseline(VIEW)
    for n in range(20):
        rows = steady("low", 50, first=50 * n, seed=n)
        rows += steady("high", 50, first=50 * n, level=16.0, seed=100 + n)
        baseline.update(windows(rows))
    at_16 = baseline.update(
        windows([("high", 1000, 16.0, 5.0, 1.0), ("low", 1000, 16.0, 5.0, 1.0)])
    )
    assert at_16.typical[:, 0] == pytest.approx([16.0, 10.0], abs=0.4)


def test_the_unit_of_an_entitys_own_currency_does_not_matter() -> None:
    others = steady("a", 200) + steady("b", 200, size=50.0, seed=1)
    own = steady("c", 200, seed=2)
    thousandfold = [(e, n, level, orders, 1000 * amount) for e, n, level, orders, amount in own]
    one, other = (Baseline(VIEW).update(windows([*others, *rows])) for rows in (own, thousandfold))
    np.testing.assert_allclose(other.z, one.z, atol=1e-9)


def test_an_amount_of_orders_is_compared_with_the_population() -> None:
    # The counterpart of the law above: the same change to a shared feature does matter.
    others = steady("a", 200) + steady("b", 200, seed=1)
    own = steady("c", 1, first=200, seed=2)
    thousandfold = [(e, n, level, 1000 * orders, amount) for e, n, level, orders, amount in own]
    one, other = (Baseline(VIEW).update(windows([*others, *rows])) for rows in (own, thousandfold))
    assert other.z[-1, 1] > one.z[-1, 1] + 5


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_all_outliers_beyond_the_clip_teach_the_same(sign: float) -> None:
    single = replace(VIEW, recent=EVERY)
    states = []
    for outlier in (1e3, 1e12):
        baseline = Baseline(single)
        baseline.update(windows(steady("a", 300)))
        before = baseline.state()
        found = baseline.update(windows([("a", 300, sign * outlier, 5.0, 1.0)]))
        assert sign * found.z[0, 0] > 100
        after = baseline.state()
        states.append(after)
        moved = mean(after)[0, 0] - mean(before)[0, 0]
        spread = np.sqrt(before["population"][0, 2] / before["population"][0, 0])
        assert 0 < sign * moved <= 4.1 * spread / after["past"][0, 0, 0]
    for part in ("past", "population"):
        np.testing.assert_array_equal(states[0][part], states[1][part])


def mean(state: dict[str, np.ndarray]) -> np.ndarray:
    """Mean of what each entity's past holds, shape (entities, features)."""
    return state["past"][:, :, 1] / state["past"][:, :, 0]


def test_silence_does_not_lower_what_is_typical_of_an_amount() -> None:
    baseline = Baseline(VIEW)
    baseline.update(windows(steady("a", 300)))
    before = baseline.state()
    quiet: list[Row] = [("a", 300 + n, 10.0, 0.0, 0.0) for n in range(500)]
    found = baseline.update(windows(quiet))
    after = baseline.state()
    np.testing.assert_allclose(mean(after)[:, 1:3], mean(before)[:, 1:3], rtol=1e-12)
    np.testing.assert_allclose(found.typical[5:, 1], found.typical[5, 1], rtol=1e-9)
    assert (found.z[5:, 1:3] == 0).all()
    assert after["past"][0, 0, 0] > before["past"][0, 0, 0]  # the level was learned meanwhile


def test_the_unknown_is_never_learned() -> None:
    baseline = Baseline(VIEW)
    baseline.update(windows(steady("a", 100)))
    before = baseline.state()
    found = baseline.update(windows([("a", 100 + n, None, None, None) for n in range(50)]))
    after = baseline.state()
    assert np.isnan(found.recent[3:, :3]).all()
    assert (found.z[3:, :3] == 0).all()
    np.testing.assert_allclose(mean(after)[:, :3], mean(before)[:, :3], rtol=1e-12)
    assert (after["past"][:, :3, 0] < before["past"][:, :3, 0]).all()


def test_a_feature_that_was_never_known_has_nothing_typical() -> None:
    found = Baseline(VIEW).update(windows([("a", n, 10.0, None, 1.0) for n in range(50)]))
    assert np.isnan(found.typical[:, 1]).all()
    assert (found.z[:, 1] == 0).all()


def test_the_past_loses_half_its_weight_in_a_day() -> None:
    baseline = Baseline(VIEW)
    baseline.update(windows(steady("a", 100)))
    before = baseline.state()["past"][0, 0, 0]
    a_day = timedelta(days=1) // EVERY
    baseline.update(windows([("a", 99 + a_day, None, None, None)]))
    assert baseline.state()["past"][0, 0, 0] == pytest.approx(before / 2, rel=1e-12)


def test_many_entities_at_once_keep_their_own_pasts() -> None:
    rows = [(f"e{i}", 0, float(i), 1.0, 1.0) for i in range(300)]
    baseline = Baseline(VIEW)
    baseline.update(windows(rows[:1]))
    baseline.update(windows([(e, 1, *rest) for e, _, *rest in rows]))
    state = baseline.state()
    assert set(state["entities"]) == {e for e, *_ in rows}
    assert len(state["past"]) == len(state["ring"]) == len(state["at"]) == 300
    levels = dict(zip(state["entities"], state["ring"][:, :, 0], strict=True))
    assert all(np.nanmax(levels[f"e{i}"]) == i for i in range(300))


def test_entities_that_are_seen_once_share_one_past_and_take_no_memory() -> None:
    view = replace(VIEW, forget_after=timedelta(0), recent=EVERY)
    rows = [(f"tx{i}", *row[1:]) for i, row in enumerate(steady("tx", 300))]
    baseline = Baseline(view)
    baseline.update(windows(rows))
    last = baseline.update(windows([("drain", 300, 10.0, 500.0, 1.0)]))
    assert len(baseline.state()["entities"]) == 1
    assert last.typical[0, 1] == pytest.approx(5.0, rel=0.1)
    assert last.z[0, 1] > 5
    assert abs(last.z[0, 0]) < 1
