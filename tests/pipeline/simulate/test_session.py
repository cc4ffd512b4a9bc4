"""The session is what it says: valid, the same each time, with one pump and one day of news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from features.silence import batch_windows
from features.trading import SYMBOL_1M, TRADES
from pipeline.simulate.session import NEWS, PUMPED, Session, exchange_session

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 3


@pytest.fixture(scope="module", params=[1, 2, 3])
def session(request: pytest.FixtureRequest) -> Session:
    return exchange_session(START, DAYS, seed=request.param)


def truth(session: Session, kind: str) -> dict[str, datetime]:
    (row,) = session.truth.filter(pl.col("kind") == kind).to_dicts()
    return row


def tape(session: Session, symbol: str) -> pl.DataFrame:
    """Trades of a symbol with the value of each."""
    of_symbol = session.trades.filter(pl.col("symbol") == symbol)
    return of_symbol.with_columns(value=pl.col("price") * pl.col("qty"))


def value_by_minute(trades: pl.DataFrame) -> pl.Series:
    """Value traded in each minute of the session, 0 where there was no trade."""
    traded = trades.group_by(minute=(pl.col("ts") - START).dt.total_minutes()).agg(
        pl.col("value").sum()
    )
    minutes = pl.DataFrame({"minute": pl.int_range(1440 * DAYS, eager=True)})
    return minutes.join(traded, "minute", "left", maintain_order="left")["value"].fill_null(0.0)


def between(trades: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    return trades.filter(pl.col("ts").is_between(start, end, closed="left"))


def fills_of_market_buys(trades: pl.DataFrame) -> pl.Series:
    return trades.filter(pl.col("side") == "buy").group_by("ts").len()["len"]


def test_no_trade_is_refused(session: Session) -> None:
    validated = TRADES.validate(
        session.trades, now=START + timedelta(days=DAYS), max_disorder=timedelta(0)
    )
    assert validated.refused.counts == {}
    assert validated.events.equals(session.trades)
    assert session.trades["ts"].is_between(START, START + timedelta(days=DAYS)).all()
    assert session.trades["symbol"].n_unique() == 7


def test_the_same_arguments_give_the_same_session() -> None:
    first, again, other = (exchange_session(START, 2, seed) for seed in (5, 5, 6))
    assert first.trades.equals(again.trades)
    assert first.truth.equals(again.truth)
    assert not first.trades.equals(other.trades)


def test_the_truth_is_one_pump_and_one_day_of_news(session: Session) -> None:
    assert session.truth.select("entity", "kind").rows() == [(PUMPED, "pump"), (NEWS, "news")]
    pump, news = truth(session, "pump"), truth(session, "news")
    assert START < news["start"] < news["end"] < pump["start"] < pump["end"]
    assert pump["end"] < START + timedelta(days=DAYS)


def test_nobody_trades_with_itself(session: Session) -> None:
    assert (session.trades["buyer"] != session.trades["seller"]).all()


def test_the_pump_minute_is_far_above_every_other_minute(session: Session) -> None:
    start = truth(session, "pump")["start"]
    values = value_by_minute(tape(session, PUMPED))
    minute = (start - START) // timedelta(minutes=1)
    before = values[:minute]
    assert values[minute] > 100 * before.mean()
    assert values[minute] > 5 * before.max()


def test_a_pump_is_bought_in_a_rush_by_new_accounts_and_then_sold(session: Session) -> None:
    trades, pump = tape(session, PUMPED), truth(session, "pump")
    start = pump["start"]
    minute = timedelta(minutes=1)
    before = between(trades, START, start)
    rush = between(trades, start, start + minute / 2)
    dump = between(trades, start + minute, start + 5 * minute)

    bought = rush.filter(pl.col("side") == "buy")
    assert bought["value"].sum() > 0.7 * rush["value"].sum()
    assert (~bought["buyer"].is_in(before["buyer"].implode())).mean() > 0.8
    assert fills_of_market_buys(rush).mean() > 1.25 * fills_of_market_buys(before).mean()
    assert dump.filter(pl.col("side") == "sell")["value"].sum() > 0.5 * dump["value"].sum()

    last = before["price"][-1]
    assert rush["price"].max() > 1.15 * last
    assert between(trades, start, pump["end"])["price"][-1] < 1.08 * last


def test_who_sells_into_the_pump_bought_before_it(session: Session) -> None:
    trades, pump = tape(session, PUMPED), truth(session, "pump")
    before = between(trades, pump["start"] - timedelta(hours=10), pump["start"])
    during = between(trades, pump["start"], pump["end"])
    sold = during.group_by("seller").agg(pl.col("value").sum()).sort("value", descending=True)
    sellers = sold["seller"].head(4)
    assert sold["value"].head(4).sum() > 0.4 * during["value"].sum()
    assert sellers.is_in(before["buyer"].implode()).all()


def test_news_multiplies_the_volume_for_hours_without_a_jump(session: Session) -> None:
    start = truth(session, "news")["start"]
    trades = tape(session, NEWS)
    hour = timedelta(hours=1)
    day = 24 * hour
    # The same hours of the days around: the season of the day cancels out.
    calm = [between(trades, start + hour + d, start + 5 * hour + d) for d in (-day, day)]
    news = between(trades, start + hour, start + 5 * hour)
    assert 3 < len(news) / (sum(map(len, calm)) / 2) < 16

    # No minute stands out of the event, as the first minute of a pump does.
    event = between(trades, start, start + 10 * hour)
    counts = event.group_by(pl.col("ts").dt.truncate("1m")).len()["len"]
    assert counts.max() < 10 * counts.mean()


def test_news_brings_many_people_and_no_rush(session: Session) -> None:
    start = truth(session, "news")["start"]
    trades = tape(session, NEWS)
    before = between(trades, START, start)
    news = between(trades, start + timedelta(hours=1), start + timedelta(hours=5))

    usual, now = fills_of_market_buys(before), fills_of_market_buys(news)
    assert now.mean() < 1.2 * usual.mean()
    assert (now > 1).mean() < 1.2 * (usual > 1).mean()
    takers = news.filter(pl.col("side") == "buy")["buyer"].value_counts()
    assert len(takers) > 700
    assert takers["count"].max() < 0.03 * takers["count"].sum()


def test_trades_come_in_clusters_and_volatility_does_too(session: Session) -> None:
    windows = batch_windows(SYMBOL_1M, tape(session, "ETHUSDT").drop("value"))
    counts = windows["count"]
    assert counts.var() > 2 * counts.mean()
    moves = windows["realised_volatility"]
    neighbours = pl.DataFrame({"now": moves, "next": moves.shift(-60)}).drop_nulls()
    assert neighbours.select(pl.corr("now", "next")).item() > 0.1


def test_sizes_have_a_heavy_tail(session: Session) -> None:
    value = tape(session, "BTCUSDT")["value"]
    assert value.top_k(len(value) // 100).sum() > 0.1 * value.sum()


@pytest.mark.parametrize(
    ("start", "days", "message"),
    [(START, 1, "days = 1; expected at least 2"), (datetime(2026, 3, 2), 2, "an aware time")],
)
def test_arguments_are_refused_with_what_is_expected(
    start: datetime, days: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        exchange_session(start, days, seed=1)
