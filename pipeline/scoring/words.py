"""Numbers and features in words that a person reads at once."""

from __future__ import annotations

import math
from functools import cache

from features.view import Feature

__all__ = ["amount", "comparison", "how_rare", "label", "quantity"]

PERCENT = {"%": 1.0, "share": 100.0, "0 or 1": 100.0}
SECONDS = {"h": 3_600.0, "s": 1.0, "ms": 1e-3}
TIMES = ((86_400.0, "days"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))
BYTES = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"))
UNITS = {"base": "in base currency", "quote": "in quote currency", "ratio": ""}
STATISTICS = {
    "mean": "mean {}",
    "median": "median {}",
    "max": "greatest {}",
    "min": "least {}",
    "std": "spread of {}",
    "p10": "10th percentile of {}",
    "p90": "90th percentile of {}",
    "p95": "95th percentile of {}",
    "last": "{}",
    "new": "new {}",
}
NAMES = {"cpu": "CPU", "vwap": "average price", "count": "trades"}


def amount(value: float) -> str:
    """A number as people read it: three digits, thousands separated, no exponent if avoidable.

    >>> amount(1234567.8), amount(0.012345), amount(12.0), amount(0.0), amount(99.96)
    ('1,234,568', '0.0123', '12', '0', '100')
    >>> amount(-1.2558e21)
    '-1.26e+21'
    """
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    value = float(f"{value:.3g}")
    if abs(value) < 1e-4:
        return f"{value:.3g}"
    text = f"{value:.{max(2 - math.floor(math.log10(abs(value))), 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def how_rare(per_day: float) -> str:
    """A rate a day in words; what is rarer than a year's worth is not told apart in words.

    >>> how_rare(0.025), how_rare(3.0), how_rare(1 / 800)
    ('once in 40 days', '3 times a day', 'less than once a year')
    """
    if per_day >= 1.5:
        return f"{per_day:.0f} times a day"
    days = 1 / per_day
    if days < 1.5:
        return "once a day"
    return f"once in {days:.0f} days" if days <= 365 else "less than once a year"


@cache
def label(feature: Feature) -> str:
    """A feature's name as words, the statistic first.

    >>> from features.trading import buy_orders, gap_median
    >>> label(buy_orders), label(gap_median)
    ('buy orders', 'median gap')
    """
    words, pattern = feature.name.split("_"), "{}"
    while len(words) > 1 and words[-1] in STATISTICS:
        pattern = pattern.format(STATISTICS[words.pop()])
    return pattern.format(" ".join(NAMES.get(word, word) for word in words))


def quantity(feature: Feature, value: float) -> str:
    """A value of a feature with its unit, as people say it; logarithms of prices as per cent.

    >>> from features.trading import buy_orders, gap_median, largest_trade_share, price_range
    >>> quantity(buy_orders, 41), quantity(gap_median, 0.000389)
    ('41', '0.389 ms')
    >>> quantity(gap_median, 5e-7)
    '0 ms'
    >>> quantity(largest_trade_share, 0.5), quantity(price_range, 0.02)
    ('50 %', '2.02 %')
    """
    said, unit = _said(feature, value), feature.unit
    if unit in PERCENT or unit == "log":
        return f"{amount(round(said, 4))} %"
    if unit in SECONDS:
        return _scaled(said, TIMES)
    if unit == "B/s":
        return _scaled(said, BYTES) if abs(said) >= 1e3 else f"{amount(said)} B/s"
    return amount(said) if _counts(feature) else f"{amount(said)} {UNITS.get(unit, unit)}".rstrip()


def comparison(feature: Feature, actual: float, expected: float) -> str:
    """One feature of a window against what is expected of it: by quotient, or by difference.

    >>> from features.trading import buy_orders, largest_trade_share, notional
    >>> comparison(buy_orders, 41, 0.31)
    '41 buy orders against 0.31 expected, 132 times'
    >>> comparison(notional, 1234.5, 12)
    'notional 1,234 in quote currency against 12 expected, 103 times'
    >>> from features.access.identity import new_countries
    >>> comparison(new_countries, 1, 0.02)
    '1 new country against 0.02 expected, +0.98'
    >>> comparison(new_countries, 2, 2.53e-06)
    '2 new countries against 0 expected, +2'
    >>> comparison(largest_trade_share, 0.25, 0.13)
    'largest trade share 25 % against 13 % expected, +12 percentage points'
    """
    name, now = label(feature), quantity(feature, actual)
    subject = f"{now} {_of_one(feature, name) if now == '1' else name}"
    subject = subject if _counts(feature) else f"{name} {now}"
    # A millionth of a message is none: what is told as a quotient keeps its digits.
    shown = expected if abs(expected) >= 1e-4 or feature.scale == "ratio" else 0.0
    usual = quantity(feature, shown) if _spoken(feature) else amount(shown)
    return f"{subject} against {usual} expected, {_distance(feature, actual, expected)}"


def _distance(feature: Feature, actual: float, expected: float) -> str:
    now, usual = _said(feature, actual), _said(feature, expected)
    if feature.scale == "ratio" and now > 0 and usual > 0:
        if _times(max(now, usual) / min(now, usual)) == "1":
            return "about as much"
        if now >= usual:
            return f"{_times(now / usual)} times"
        return f"{_times(usual / now)} times {'shorter' if feature.unit in SECONDS else 'less'}"
    sign = "+" if now >= usual else "-"
    if feature.unit in PERCENT or feature.unit == "log":
        return f"{sign}{amount(abs(now - usual))} percentage points"
    return sign + quantity(feature, abs(actual - expected))


def _times(quotient: float) -> str:
    """A quotient to two digits, above a hundred three: more of it would be noise."""
    return amount(float(f"{quotient:.{2 if quotient < 100 else 3}g}"))


def _said(feature: Feature, value: float) -> float:
    """The value on the scale that it is told on."""
    if feature.unit == "log":
        return 100.0 * math.expm1(min(value, 700.0))
    return value * PERCENT.get(feature.unit, SECONDS.get(feature.unit, 1.0))


def _spoken(feature: Feature) -> bool:
    """Whether the expected value needs its unit too: it may be told in another."""
    return feature.unit in PERCENT or feature.unit in SECONDS or feature.unit in ("log", "B/s")


def _counts(feature: Feature) -> bool:
    """Whether the name says what is counted: "41 buy orders", but "mean rush order 41 fills"."""
    return feature.unit in label(feature).split() and feature.unit not in ("share", "ratio")


def _of_one(feature: Feature, name: str) -> str:
    """A name in which the unit stands, for one of it: "1 new country"."""
    unit = feature.unit
    one = f"{unit[:-3]}y" if unit.endswith("ies") else unit.removesuffix("s")
    one = unit[:-2] if unit.endswith(("sses", "ches")) else one
    return " ".join(one if word == unit else word for word in name.split())


def _scaled(value: float, scale: tuple[tuple[float, str], ...]) -> str:
    size, unit = next((s for s in scale if abs(value) >= s[0]), scale[-1])
    if abs(value) < size / 1_000:
        return f"0 {unit}"
    return f"{amount(value / size)} {unit}"
