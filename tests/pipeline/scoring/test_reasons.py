"""Reasons are the features that made the score, and the counterfactual turns it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.baseline import Deviations
from features.trading import SYMBOL_5S
from features.view import FeatureView
from pipeline.scoring.arm import Arm, arms_of
from pipeline.scoring.counterfactual import per_day
from pipeline.scoring.inputs import Seen, inputs
from pipeline.scoring.reasons import Evidence, Explanation

NAMES = SYMBOL_5S.names
MAIN = [NAMES.index(name) for name in SYMBOL_5S.main]
RATIO = np.array([feature.scale == "ratio" for feature in SYMBOL_5S.features])
DAILY = 1_000.0
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
FORESTS_ONLY = replace(SYMBOL_5S, main=())


def deviating(changes: list[dict[str, float]]) -> Deviations:
    """Windows as expected, but for the named features, which are so many spreads of 0.5 off."""
    z = np.zeros((len(changes), len(NAMES)))
    for row, change in enumerate(changes):
        for name, value in change.items():
            z[row, NAMES.index(name)] = value
    typical = np.full(z.shape, 0.25)
    recent = np.where(RATIO, typical * np.exp(0.5 * z), typical + 0.5 * z)
    return Deviations(recent, typical, z)


def uneasy(**changes: float) -> dict[str, float]:
    """A window of which every feature is a little off, and some more than that."""
    return dict.fromkeys(NAMES, 1.0) | changes


def evidence(view: FeatureView, changes: list[dict[str, float]], arms: list[Arm]) -> Evidence:
    deviations = deviating(changes)
    nothing = np.zeros(len(changes), np.int64)
    told = Seen(deviations, nothing, nothing)
    seen = np.hstack([given.build(told) for given in inputs(view).values()])
    raw, p = (
        np.column_stack(part) for part in zip(*(arm.score(seen) for arm in arms), strict=True)
    )
    return Evidence(view, arms, deviations, seen, raw, p, DAILY)


def fitted_arms(view: FeatureView, wanted: dict[str, float]) -> list[Arm]:
    """The wanted arms with their shares, that have learned noise."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(6_000, len(NAMES)))
    one_sided = np.abs(z) * (rng.random(z.shape) < 0.5)
    low = np.array([f.direction == "both" for f in view.features])
    X = np.where(low, z, one_sided)
    arms = [arm for arm in arms_of(inputs(view), seed=0) if arm.name in wanted]
    for arm in arms:
        arm.weight = wanted[arm.name]
        own = X
        if arm.kind.sees == "multiples":
            own = np.exp(0.5 * z[:, : len(view.main)])
        arm.detector.fit(np.ascontiguousarray(own), seed=0)
        arm.calibration.learn(arm.detector.score(np.ascontiguousarray(own)))
    return arms


@pytest.fixture(scope="module")
def surging() -> list[Arm]:
    return fitted_arms(
        SYMBOL_5S, {"isolation_forest": 0.01, "half_space_trees": 0.01, "surge": 0.98}
    )


@pytest.fixture(scope="module")
def forests() -> list[Arm]:
    return fitted_arms(FORESTS_ONLY, {"isolation_forest": 0.5, "half_space_trees": 0.5})


def explain(shown: Evidence, below: float = 1.0) -> list[Explanation]:
    rows = len(shown.p)
    windows = pl.DataFrame(
        {
            "entity": ["A"] * rows,
            "start": [NOON] * rows,
            "end": [NOON + timedelta(seconds=5)] * rows,
        }
    )
    return shown.explain(windows, np.arange(rows), below)


def told(shown: Evidence, wanted: list[bool] | None = None) -> list[list[str]]:
    every = [True] * len(shown.p) if wanted is None else wanted
    return shown.reasons(np.array(every)).to_list()


def test_the_features_that_made_the_score_are_told_the_strongest_first(surging: list[Arm]) -> None:
    shown = evidence(SYMBOL_5S, [{"buy_orders": 12.0, "buy_notional": 9.0}], surging)
    assert told(shown) == [
        [
            "101 buy orders against 0.25 expected, 403 times",
            "buy notional 22.5 in quote currency against 0.25 expected, 90 times",
        ]
    ]


@pytest.mark.parametrize("name", ["largest_trade_share", "gap_max", "unique_sellers"])
def test_where_only_forests_judge_the_feature_that_is_off_comes_first(
    forests: list[Arm], name: str
) -> None:
    (found,) = explain(evidence(FORESTS_ONLY, [uneasy(**{name: 9.0})], forests))
    assert found.features[0].feature == name
    assert found.features[0].share > 2 * found.features[1].share


def test_what_is_low_where_low_is_a_concern_is_told_as_below(forests: list[Arm]) -> None:
    (found,) = explain(evidence(FORESTS_ONLY, [uneasy(gap_median=-12.0)], forests))
    first = found.features[0]
    assert (first.feature, first.side) == ("gap_median", "below")
    assert first.words.endswith("times shorter")


def test_the_side_that_is_no_concern_is_no_reason(forests: list[Arm]) -> None:
    shown = evidence(FORESTS_ONLY, [uneasy(gap_median=12.0, count=9.0)], forests)
    (texts,) = told(shown)
    assert "trades against" in texts[0]
    assert all("median gap" not in text for text in texts)


def test_shares_of_the_features_and_of_the_arms_sum_to_1(surging: list[Arm]) -> None:
    changes = [{"buy_orders": 12.0}, {"largest_trade_share": 9.0, "count": 4.0, "buy_orders": 2.0}]
    for found in explain(evidence(SYMBOL_5S, changes, surging)):
        assert sum(reason.share for reason in found.features) == pytest.approx(1.0)
        assert sum(found.arms.values()) == pytest.approx(1.0)
        shares = [reason.share for reason in found.features]
        assert shares == sorted(shares, reverse=True)


def test_only_the_wanted_rows_get_reasons(surging: list[Arm]) -> None:
    shown = evidence(SYMBOL_5S, [{"buy_orders": 12.0}] * 4, surging)
    texts = told(shown, [False, True, False, True])
    assert [len(row) for row in texts] == [0, 1, 0, 1]
    assert told(shown, [False] * 4) == [[], [], [], []]
    assert shown.reasons(np.zeros(4, bool)).dtype == pl.List(pl.String)


def test_a_feature_of_which_nothing_is_known_is_no_reason(surging: list[Arm]) -> None:
    shown = evidence(SYMBOL_5S, [{"buy_orders": 12.0, "buy_notional": 12.0}], surging)
    column = NAMES.index("buy_notional")
    shown.deviations.typical[0, column] = np.nan
    assert ["notional" in text for text in told(shown)[0]] == [False]
    reason = next(r for r in explain(shown)[0].features if r.feature == "buy_notional")
    assert (reason.expected, reason.words) == (None, "buy notional not known")


def test_one_feature_that_suffices_is_named_with_the_value_that_turns_the_score(
    surging: list[Arm],
) -> None:
    shown = evidence(SYMBOL_5S, [{"buy_orders": 14.0}], surging)
    (found,) = explain(shown)
    assert found.per_day < 1.0
    turn = found.counterfactual
    assert turn is not None
    assert turn.features == ("buy_orders",)
    assert turn.words.startswith("would not have been rarer than once a day with buy orders below ")
    column = NAMES.index("buy_orders")
    for factor, rare in ((1.001, True), (0.999, False)):
        z = 2 * np.log(turn.values[0] * factor / 0.25)
        kept = np.ones((1, len(NAMES)))
        kept[0, column] = z / 14.0
        assert (per_day(shown, 0, kept)[0] < 1.0) == rare


def test_where_no_feature_suffices_all_told_are_divided_by_one_number(surging: list[Arm]) -> None:
    shown = evidence(SYMBOL_5S, [dict.fromkeys(SYMBOL_5S.main, 14.0)], surging)
    turn = explain(shown)[0].counterfactual
    assert turn is not None
    assert set(turn.features) == set(SYMBOL_5S.main)
    factors = {
        value / shown.deviations.recent[0, NAMES.index(name)]
        for name, value in zip(turn.features, turn.values, strict=True)
    }
    assert max(factors) == pytest.approx(min(factors))
    assert turn.words.endswith(" times these amounts")
    kept = np.ones((1, len(NAMES)))
    kept[0, MAIN] = 1 + 2 * np.log(min(factors) * 0.999) / 14.0
    assert per_day(shown, 0, kept)[0] >= 1.0


def test_where_no_amounts_suffice_everything_comes_nearer_to_what_is_expected(
    forests: list[Arm],
) -> None:
    changes = {name: 6.0 for name in NAMES if name != "gap_median"}
    turn = explain(evidence(FORESTS_ONLY, [changes], forests), below=300.0)[0].counterfactual
    assert turn is not None
    assert len(turn.features) == len(changes)
    assert turn.words.endswith(" times as far from what is expected")


def test_where_even_the_expected_would_be_rare_there_is_no_counterfactual(
    surging: list[Arm],
) -> None:
    shown = evidence(SYMBOL_5S, [{"buy_orders": 14.0}], surging)
    assert explain(shown, below=DAILY + 1)[0].counterfactual is None


def test_trials_do_not_touch_the_scores_that_are_learned_next(surging: list[Arm]) -> None:
    shown = evidence(SYMBOL_5S, [{"buy_orders": 14.0}], surging)
    before = [vars(arm).get("raw") for arm in surging]
    explain(shown)
    assert [vars(arm).get("raw") for arm in surging] == before


def test_an_explanation_is_fields_that_json_can_hold(surging: list[Arm]) -> None:
    (found,) = explain(evidence(SYMBOL_5S, [{"buy_orders": 14.0}], surging))
    fields = json.loads(json.dumps(found.fields(), default=datetime.isoformat))
    assert fields["entity"] == "A"
    assert fields["features"][0]["actual"] == pytest.approx(found.features[0].actual)
    assert fields["counterfactual"]["features"] == ["buy_orders"]
