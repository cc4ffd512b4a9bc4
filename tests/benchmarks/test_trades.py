"""Made-up trades are valid, repeatable, and have what the features look for."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.trades import DAY, trades


def test_the_seed_decides_all() -> None:
    assert trades(500, seed=1).equals(trades(500, seed=1))
    assert not trades(500, seed=1).equals(trades(500, seed=2))


def test_trades_are_one_valid_day_in_order_of_arrival() -> None:
    events = trades(2_000)
    assert len(events) == 2_000
    assert events["ts"].is_sorted()
    assert events["id"].is_sorted()
    assert events["ts"].is_between(DAY, DAY + timedelta(days=1)).all()


def test_density_sets_how_long_they_last() -> None:
    at = trades(2_000, per_day=4_000)["ts"]
    assert timedelta(hours=11) < at.max() - at.min() < timedelta(hours=12)


def test_few_symbols_have_most_trades_and_orders_fill_in_pieces() -> None:
    events = trades(5_000)
    sizes = events["symbol"].value_counts(sort=True)["count"]
    assert sizes[:10].sum() > len(events) / 2
    fills = events.group_by("ts", "symbol", "side").len()["len"]
    assert fills.max() > 2
