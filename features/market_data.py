"""Quotes of a venue: whether its market data come, in time, complete and believable.

A window sees one symbol at one venue, so what other venues quote has to come with the event: the
source fills ``reference``, and history and live stream then read the same number.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features.expressions import run_total
from features.stream import TIME, Column, Stream
from features.view import FeatureView, collect, derived, feature

__all__ = ["MARKET_DATA", "SYMBOL_VENUE_1M", "SYMBOL_VENUE_5S"]


EVENTS = pl.Enum(["quote", "connect", "disconnect"])


def _price(name: str, doc: str) -> Column:
    return Column(name, pl.Float64(), doc, "quote", required=False, above=0)


def _quantity(name: str, doc: str) -> Column:
    return Column(name, pl.Float64(), doc, "base", required=False, at_least=0)


MARKET_DATA = Stream(
    "market_data",
    (
        Column("ts", TIME, "Time of the event at the venue."),
        Column("symbol", pl.String(), "Market, such as ETHBTC."),
        Column("venue", pl.String(), "Venue, such as BINANCE."),
        Column("id", pl.Int64(), "Number of the event; its position where there is none."),
        Column("event", EVENTS, "What happened; absent in a feed of quotes alone.", required=False),
        _price("bid", "Best bid; null on an empty side."),
        _price("ask", "Best ask; null on an empty side."),
        _quantity("bid_qty", "Quantity at the best bid."),
        _quantity("ask_qty", "Quantity at the best ask."),
        _price("last", "Price of the last trade."),
        _price("reference", "Median of the latest mid prices of the other venues, by the source."),
        Column("received_at", TIME, "When the event came in, by our clock.", required=False),
        Column("sequence", pl.Int64(), "The venue's number of its quote.", required=False),
    ),
    key=("venue", "symbol", "id"),
)

S9 = "SCENARIOS.md, S9"
UPDATES = "REQUIREMENTS.md, MD-1"
LATENCY = "REQUIREMENTS.md, MD-2"
ACCURACY = "REQUIREMENTS.md, MD-3"
CONNECTION = "REQUIREMENTS.md, MD-4"


@derived
def is_quote(event: pl.Expr) -> pl.Expr:
    """Whether the event is a quote."""
    return (event == "quote").fill_null(True)


@derived
def interval(ts: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Seconds since the event before; null for the first of a symbol and venue."""
    us = ts.to_physical()
    return pl.when(~first_of_entity).then((us - us.shift(1)) / 1e6)


@derived
def age(ts: pl.Expr, received_at: pl.Expr) -> pl.Expr:
    """Milliseconds from the venue's time to ours."""
    return (received_at.to_physical() - ts.to_physical()) / 1e3


@derived
def missing(sequence: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Numbers left out since the event before; null where either has no number."""
    return pl.when(~first_of_entity).then((sequence - sequence.shift(1) - 1).clip(lower_bound=0))


@derived
def mid(bid: pl.Expr, ask: pl.Expr) -> pl.Expr:
    """Middle of bid and ask."""
    return (bid + ask) / 2


@derived
def spread(bid: pl.Expr, ask: pl.Expr, mid: pl.Expr) -> pl.Expr:
    """Ask less bid, in bp of the middle; below 0 in a crossed book."""
    return (ask - bid) / mid * 1e4


@derived
def deviation(mid: pl.Expr, reference: pl.Expr) -> pl.Expr:
    """Distance of the mid price from the other venues', in bp of theirs."""
    return (mid / reference - 1).abs() * 1e4


@derived
def jump(mid: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Absolute logarithm of the mid price over that of the event before; null without one."""
    return pl.when(~first_of_entity).then((mid / mid.shift(1)).log().abs())


@derived
def repeats(
    is_quote: pl.Expr,
    bid: pl.Expr,
    ask: pl.Expr,
    bid_qty: pl.Expr,
    ask_qty: pl.Expr,
    last: pl.Expr,
    first_of_entity: pl.Expr,
) -> pl.Expr:
    """Whether a quote says what the event before said; null for an event without a price."""
    said = (bid, ask, bid_qty, ask_qty, last)
    same = pl.all_horizontal(is_quote.shift(1), *(x.eq_missing(x.shift(1)) for x in said))
    priced = pl.any_horizontal(x.is_not_null() for x in (bid, ask, last))
    return pl.when(is_quote & priced).then(~first_of_entity & same)


@derived
def repeated_quotes(repeats: pl.Expr, window: pl.Expr) -> pl.Expr:
    """How many quotes in a row, up to this one, repeated the one before, in this window."""
    return run_total(repeats.cast(pl.Float64), repeats, window)


@derived
def repeated_time(interval: pl.Expr, repeats: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Seconds for which such repetitions have lasted."""
    return run_total(interval, repeats, window)


@derived
def down(event: pl.Expr, interval: pl.Expr) -> pl.Expr:
    """Seconds since the event before if that was a disconnect, else 0."""
    return pl.when(event.shift(1) == "disconnect").then(interval).otherwise(0.0)


@feature(unit="quotes", silent=0, source=UPDATES)
def updates(is_quote: pl.Expr) -> pl.Expr:
    """Number of quotes."""
    return is_quote.sum()


@feature(unit="s", direction="high", source=UPDATES)
def interval_median(interval: pl.Expr) -> pl.Expr:
    """Median time from event to event; the first is measured from the last event before."""
    return interval.median()


@feature(unit="s", direction="high", source=UPDATES)
def interval_max(interval: pl.Expr) -> pl.Expr:
    """Longest time from event to event."""
    return interval.max()


@feature(unit="ms", direction="high", source=LATENCY)
def age_median(age: pl.Expr) -> pl.Expr:
    """Median time from the venue's stamp to our receipt."""
    return age.median()


@feature(unit="ms", direction="high", source=LATENCY)
def age_p95(age: pl.Expr) -> pl.Expr:
    """Time from the venue's stamp to our receipt that one event in 20 exceeded."""
    return age.quantile(0.95, "linear")


@feature(unit="ms", direction="high", source=LATENCY)
def age_max(age: pl.Expr) -> pl.Expr:
    """Longest time from the venue's stamp to our receipt."""
    return age.max()


@feature(unit="ms", direction="low", source=S9)
def age_min(age: pl.Expr) -> pl.Expr:
    """Shortest time from the venue's stamp to our receipt: below 0 when the clocks disagree."""
    return age.min()


@feature(unit="gaps", direction="high", source=ACCURACY)
def sequence_gaps(missing: pl.Expr) -> pl.Expr:
    """Times that sequence numbers were left out since the event before."""
    return pl.when(missing.count() > 0).then((missing > 0).sum())


@feature(unit="messages", direction="high", source=ACCURACY)
def missing_messages(missing: pl.Expr) -> pl.Expr:
    """Sequence numbers left out: messages that never came."""
    return pl.when(missing.count() > 0).then(missing.sum())


@feature(unit="bp", source=ACCURACY)
def spread_mean(spread: pl.Expr) -> pl.Expr:
    """Mean of ask less bid, in bp of their middle."""
    return spread.mean()


@feature(unit="bp", direction="high", source=ACCURACY)
def spread_max(spread: pl.Expr) -> pl.Expr:
    """Widest ask less bid, in bp of their middle."""
    return spread.max()


@feature(unit="share", direction="high", source=ACCURACY)
def crossed_share(spread: pl.Expr) -> pl.Expr:
    """Share of two-sided quotes with a crossed or locked book: the bid not below the ask."""
    return (spread <= 0).mean()


@feature(unit="spreads", direction="high", source=S9)
def cross_venue_deviation_median(deviation: pl.Expr, spread: pl.Expr) -> pl.Expr:
    """Median distance of mid from reference, in median spreads of the window (1 bp or more)."""
    return deviation.median() / spread.median().clip(lower_bound=1)


@feature(unit="spreads", direction="high", source=S9)
def cross_venue_deviation_max(deviation: pl.Expr, spread: pl.Expr) -> pl.Expr:
    """Largest distance of mid from reference, in median spreads of the window (1 bp or more)."""
    return deviation.max() / spread.median().clip(lower_bound=1)


@feature(unit="log", direction="high", source=S9)
def jump_max(jump: pl.Expr) -> pl.Expr:
    """Largest absolute logarithm of a mid price over that of the event before."""
    return jump.max()


@feature(unit="quotes", direction="high", source=S9)
def longest_repetition(repeated_quotes: pl.Expr) -> pl.Expr:
    """Zero-variance run: most quotes in a row that each repeated the one before.

    Prices, quantities and last trade are compared; the one before may lie before the window.
    """
    return repeated_quotes.max()


@feature(unit="s", direction="high", source=S9)
def longest_repetition_time(repeated_time: pl.Expr) -> pl.Expr:
    """Longest time that quotes in a row repeated the one before, measured from that one."""
    return repeated_time.max()


@feature(unit="disconnects", direction="high", source=CONNECTION)
def connection_flaps(event: pl.Expr) -> pl.Expr:
    """Number of disconnects; null where the source does not tell of the connection."""
    return pl.when(event.count() > 0).then((event == "disconnect").sum())


@feature(unit="s", direction="high", source=CONNECTION)
def downtime(down: pl.Expr, event: pl.Expr) -> pl.Expr:
    """Time from a disconnect to the next event, counted in the window of that event."""
    return pl.when(event.count() > 0).then(down.sum())


@feature(unit="0 or 1", direction="high", source=CONNECTION)
def disconnected(event: pl.Expr) -> pl.Expr:
    """1 when the last event is a disconnect, else 0; null where the source does not tell."""
    return (event.last() == "disconnect").cast(pl.UInt8)


ENTITY, DECLARED = ("symbol", "venue"), collect(__name__)
SYMBOL_VENUE_1M = FeatureView(
    "market_data.symbol_venue_1m", MARKET_DATA, ENTITY, timedelta(minutes=1), DECLARED
)
SYMBOL_VENUE_5S = FeatureView(
    "market_data.symbol_venue_5s", MARKET_DATA, ENTITY, timedelta(seconds=5), DECLARED
)
