"""Words that a person reads at once: no jargon, no false precision, no lost unit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import VIEWS
from features.trading import buy_orders, gap_median, largest_trade_share
from features.view import Feature
from pipeline.scoring.words import amount, comparison, label, quantity

EVERY = sorted({f.name: f for v in VIEWS.values() for f in v.features}.values(), key=str)


def made(name: str, unit: str, scale: str = "level") -> Feature:
    return replace(buy_orders, name=name, unit=unit, scale=scale)  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=st.floats(-1e12, 1e12))
def test_an_amount_is_the_value_to_three_digits(value: float) -> None:
    text = amount(value)
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.0051, abs=1e-300)
    assert abs(value) < 1e-4 or "e" not in text


@pytest.mark.parametrize("feature", EVERY, ids=lambda feature: feature.name)
def test_every_feature_reads_as_words(feature: Feature) -> None:
    text = comparison(feature, 0.75, 0.25)
    assert "_" not in text
    assert label(feature) in text
    assert " against " in text
    assert text.count(" expected, ") == 1


@pytest.mark.parametrize(
    ("feature", "actual", "expected", "text"),
    [
        (buy_orders, 41, 0.31, "41 buy orders against 0.31 expected, 132 times"),
        (gap_median, 0.2, 60, "median gap 200 ms against 1 min expected, 300 times shorter"),
        (
            largest_trade_share,
            0.25,
            0.13,
            "largest trade share 25 % against 13 % expected, +12 percentage points",
        ),
        (
            made("order_imbalance", "share"),
            -0.5,
            0.01,
            "order imbalance -50 % against 1 % expected, -51 percentage points",
        ),
        (
            made("cpu_max", "%"),
            97,
            31,
            "greatest CPU 97 % against 31 % expected, +66 percentage points",
        ),
        (
            made("query_p95_max", "ms", "ratio"),
            4_000,
            50,
            "greatest 95th percentile of query 4 s against 50 ms expected, 80 times",
        ),
        (made("fills", "fills"), 2, 9, "2 fills against 9 expected, -7"),
        (
            made("received_rate", "B/s"),
            2e6,
            0,
            "received rate 2 MB/s against 0 B/s expected, +2 MB/s",
        ),
        (made("cancel_ratio", "ratio"), 0.9, 0.4, "cancel ratio 0.9 against 0.4 expected, +0.5"),
        (
            made("time_to_full", "h", "ratio"),
            0.5,
            48,
            "time to full 30 min against 2 days expected, 96 times shorter",
        ),
    ],
)
def test_a_comparison_reads(feature: Feature, actual: float, expected: float, text: str) -> None:
    assert comparison(feature, actual, expected) == text


def test_nothing_is_a_difference_where_a_quotient_is_unknown() -> None:
    assert comparison(buy_orders, 41, 0) == "41 buy orders against 0 expected, +41"


def test_a_change_of_price_is_told_as_per_cent_and_never_overflows() -> None:
    change = made("price_return", "log")
    assert quantity(change, -0.6931471805599453) == "-50 %"
    assert quantity(change, 1e9).endswith(" %")
