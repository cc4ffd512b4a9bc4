"""What all samples of machines share: gauges, counters, and how a window sums them up.

A gauge is a level at the time of the sample. A counter is a total that only grows, until what
counts restarts at zero; its increase is taken against the previous sample, as Prometheus does.
Most columns are optional, so that any exporter fits; what is unknown stays null, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from features.stream import TIME, Column
from features.view import Derived, derived, feature

__all__ = [
    "SHARED",
    "change",
    "counter",
    "gauge",
    "increases",
    "moment",
    "part_of",
    "peak_per_second",
    "per_second",
    "percent",
    "ratio",
]


def moment(*names: Column) -> tuple[Column, ...]:
    """The columns every sample begins with: time, what it is a sample of, and the id."""
    return (
        Column("ts", TIME, "Time of the sample."),
        *names,
        Column("id", pl.Int64(), "Number of the sample; its position where none is given."),
    )


def gauge(name: str, doc: str, unit: str) -> Column:
    """An optional level, at least 0."""
    return Column(name, pl.Float64(), doc, unit, required=False, at_least=0)


def percent(name: str, doc: str) -> Column:
    """An optional level from 0 to 100."""
    return Column(name, pl.Float64(), doc, "%", required=False, at_least=0, at_most=100)


def counter(name: str, doc: str, unit: str) -> Column:
    """An optional total, at least 0, that grows until what counts restarts."""
    return Column(name, pl.Float64(), f"{doc} A total since the start.", unit, False, at_least=0)


def increases(counters: Iterable[Column]) -> tuple[Derived, ...]:
    """For each counter a derived column ``<counter>_increase``.

    The increase since the previous sample. A total below the previous one has restarted at
    zero, so it is the increase. Null for the first sample and where either total is unknown.

    Source: Prometheus, ``increase()``, without its extrapolation.
    """

    def build(total: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
        before = total.shift(1)
        grown = pl.when(total < before).then(total).otherwise(total - before)
        return pl.when(~first_of_entity).then(grown)

    return tuple(
        Derived(
            f"{c.name}_increase",
            f"{c.doc} Increase since the previous sample; null for the first.",
            (c.name, "first_of_entity"),
            build,
        )
        for c in counters
    )


def change(level: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """A gauge less its previous sample; null for the first."""
    return pl.when(~first_of_entity).then(level - level.shift(1))


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Sum of the parts over the sum of the wholes, over the samples in which both are known.

    Null where the wholes add up to nothing.
    """
    known = part.is_not_null() & whole.is_not_null()
    total = whole.filter(known).sum()
    return pl.when(total > 0).then(part.filter(known).sum() / total)


def part_of(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """`ratio` in percent."""
    return 100 * ratio(part, whole)


def per_second(increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Mean rate over the time that the samples of the window cover."""
    return ratio(increase, elapsed)


def peak_per_second(increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Highest mean rate from one sample to the next."""
    return pl.when(elapsed > 0).then(increase / elapsed).max()


@derived
def elapsed(ts: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Seconds since the previous sample; null for the first."""
    us = ts.to_physical()
    return pl.when(~first_of_entity).then((us - us.shift(1)) / 1e6)


@feature(unit="samples", direction="low", source="HM-CPU", silent=0)
def samples() -> pl.Expr:
    """Number of samples: fewer than the cadence gives means that data are missing."""
    return pl.len()


SHARED = (elapsed, samples)
"""Declared in every view of samples."""
