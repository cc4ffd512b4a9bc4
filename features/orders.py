"""Order messages of a venue: what an account does to a book, and how the engine keeps up."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features import order_life
from features.stream import TIME, Column, Stream
from features.view import FeatureView, collect, feature

__all__ = ["ACCOUNT_SYMBOL_1M", "ACCOUNT_SYMBOL_5S", "ORDERS", "SYMBOL_1M"]

KINDS = ["new", "modify", "cancel", "fill", "reject"]


def _optional(name: str, doc: str, unit: str, *, above: float | None = None) -> Column:
    least = 0 if above is None else None
    return Column(name, pl.Float64(), doc, unit, required=False, above=above, at_least=least)


ORDERS = Stream(
    "orders",
    (
        Column("ts", TIME, "Time of the message at the venue."),
        Column("symbol", pl.String(), "Market, such as ETHBTC."),
        Column("account", pl.String(), "Account whose order it is."),
        Column("id", pl.Int64(), "Number of the message; its position where there is none."),
        Column("order_id", pl.String(), "The order; no other of the symbol has this name."),
        Column("kind", pl.Enum(KINDS), "What the message says happened to the order."),
        Column("side", pl.Enum(["buy", "sell"]), "Side of the order."),
        Column("qty", pl.Float64(), "Quantity entered, withdrawn or filled.", "base", at_least=0),
        _optional("price", "Limit, of a fill the price paid; null at market.", "quote", above=0),
        _optional("order_qty", "Quantity of the whole order.", "base"),
        Column("entered_at", TIME, "When the order was entered.", required=False),
        _optional("best_bid", "Best bid before the message.", "quote", above=0),
        _optional("best_ask", "Best ask before the message.", "quote", above=0),
        _optional("bid_depth", "Bid within 50 bp of the best bid before the message.", "base"),
        _optional("ask_depth", "Asked within 50 bp of the best ask before the message.", "base"),
        _optional("processing", "Time the matching engine took for the message.", "ms"),
        _optional("queue_depth", "Messages that waited in the engine's queue.", "messages"),
    ),
    key=("symbol", "id"),
)

S5 = "SCENARIOS.md, S5"


@feature(unit="messages", direction="both", silent=0, source="REQUIREMENTS.md, TE-1, PA-T3")
def messages() -> pl.Expr:
    """Number of messages: the throughput."""
    return pl.len()


@feature(unit="orders", direction="high", silent=0, source="REQUIREMENTS.md, TP-M3")
def orders_entered(is_new: pl.Expr) -> pl.Expr:
    """Number of orders entered."""
    return is_new.sum()


@feature(unit="fills", silent=0, source="REQUIREMENTS.md, TE-1, PA-T3")
def fills(is_fill: pl.Expr) -> pl.Expr:
    """Number of fills."""
    return is_fill.sum()


@feature(unit="ratio", direction="high", silent=0, source="after EU 2017/566 (MiFID II RTS 9)")
def order_to_trade_ratio(kind: pl.Expr, is_fill: pl.Expr) -> pl.Expr:
    """Messages that entered, changed or withdrew an order, for each fill; without one, all."""
    return kind.is_in(KINDS[:3]).sum() / is_fill.sum().clip(lower_bound=1)


@feature(unit="ratio", direction="high", silent=0, source=S5)
def cancel_ratio(is_cancel: pl.Expr, is_new: pl.Expr) -> pl.Expr:
    """Orders withdrawn for each order entered; with none entered, those withdrawn."""
    return is_cancel.sum() / is_new.sum().clip(lower_bound=1)


@feature(unit="ratio", direction="high", source=S5)
def cancel_ratio_at_touch(cancelled_in: pl.Expr, entered_in: pl.Expr) -> pl.Expr:
    """Cancel ratio of orders at the best price of their side or better."""
    return _cancel_ratio_in(0, cancelled_in, entered_in)


@feature(unit="ratio", direction="high", source=S5)
def cancel_ratio_to_10bp(cancelled_in: pl.Expr, entered_in: pl.Expr) -> pl.Expr:
    """Cancel ratio of orders behind the best price of their side by up to 10 bp of it."""
    return _cancel_ratio_in(1, cancelled_in, entered_in)


@feature(unit="ratio", direction="high", source=S5)
def cancel_ratio_10_to_50bp(cancelled_in: pl.Expr, entered_in: pl.Expr) -> pl.Expr:
    """Cancel ratio of orders behind the best price of their side by over 10, up to 50 bp."""
    return _cancel_ratio_in(2, cancelled_in, entered_in)


@feature(unit="ratio", direction="high", source=S5)
def cancel_ratio_beyond_50bp(cancelled_in: pl.Expr, entered_in: pl.Expr) -> pl.Expr:
    """Cancel ratio of orders behind the best price of their side by over 50 bp."""
    return _cancel_ratio_in(3, cancelled_in, entered_in)


@feature(unit="ms", direction="low", source=S5)
def cancel_lifetime_p10(cancel_lifetime: pl.Expr) -> pl.Expr:
    """Time from entry to cancel that a tenth of the withdrawn orders fell short of."""
    return cancel_lifetime.quantile(0.1, "linear")


@feature(unit="ms", direction="low", source=S5)
def cancel_lifetime_median(cancel_lifetime: pl.Expr) -> pl.Expr:
    """Median time from entry to cancel of the withdrawn orders."""
    return cancel_lifetime.median()


@feature(unit="ms", direction="low", source=S5)
def cancel_lifetime_p90(cancel_lifetime: pl.Expr) -> pl.Expr:
    """Time from entry to cancel that a tenth of the withdrawn orders exceeded."""
    return cancel_lifetime.quantile(0.9, "linear")


@feature(unit="share", direction="high", source=S5)
def largest_order_share(entered_qty: pl.Expr) -> pl.Expr:
    """Quantity of the largest order entered over that of all; null with none entered."""
    return _share(entered_qty.max(), entered_qty.sum())


@feature(unit="share", direction="high", source=S5)
def large_order_share(is_large: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """Share of the quantity entered in large orders: at least half the depth of their side."""
    return _share((qty * is_large).sum(), qty.filter(is_large.is_not_null()).sum())


@feature(unit="share", direction="high", source=S5)
def large_near_touch_share(is_large_near: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """Share of the quantity entered in large orders within 10 bp of the best price."""
    return _share((qty * is_large_near).sum(), qty.filter(is_large_near.is_not_null()).sum())


@feature(unit="sequences", direction="high", silent=0, source=S5)
def opposite_side_sequences(withdrawn: pl.Expr) -> pl.Expr:
    """Large orders withdrawn within 2 s of a fill that the account had on the other side.

    The order was entered before the fill and is at least 5 times as large as every order filled
    since, as far back as 2 s. Fill and cancel lie in this window, and where ``entered_at`` is
    not told, the entry too.
    """
    return withdrawn.sum()


@feature(unit="share", direction="high", source=S5)
def depth_imbalance_before_fills(fill_pressure: pl.Expr) -> pl.Expr:
    """Depth on the other side of a fill less that on its own, over both, mean of the fills."""
    return fill_pressure.mean()


@feature(unit="share", source="SCENARIOS.md, S5 (decoy: a market maker is two-sided)")
def order_imbalance(entered_qty: pl.Expr, is_buy: pl.Expr) -> pl.Expr:
    """Quantity entered to buy less that to sell, over both: from -1 to 1."""
    return 2 * _share((entered_qty * is_buy).sum(), entered_qty.sum()) - 1


@feature(unit="share", source="SCENARIOS.md, S5 (decoy: a market maker stays nearly flat)")
def fill_imbalance(filled_qty: pl.Expr, is_buy: pl.Expr) -> pl.Expr:
    """Quantity bought less that sold, over both: from -1 to 1."""
    return 2 * _share((filled_qty * is_buy).sum(), filled_qty.sum()) - 1


@feature(unit="share", direction="high", source="REQUIREMENTS.md, TE-3")
def reject_rate(kind: pl.Expr, is_fill: pl.Expr) -> pl.Expr:
    """Share of the messages other than fills that say a request was refused."""
    return _share((kind == "reject").sum(), (~is_fill).sum())


@feature(unit="ms", direction="high", source="REQUIREMENTS.md, PA-T1")
def execution_time_median(execution_time: pl.Expr) -> pl.Expr:
    """Median time from the entry of an order to a fill of it."""
    return execution_time.median()


@feature(unit="ms", direction="high", source="REQUIREMENTS.md, PA-T1")
def execution_time_p95(execution_time: pl.Expr) -> pl.Expr:
    """Time from the entry of an order to a fill of it that one fill in 20 exceeded."""
    return execution_time.quantile(0.95, "linear")


@feature(unit="ms", direction="high", source="REQUIREMENTS.md, TE-2, PA-T2")
def processing_median(processing: pl.Expr) -> pl.Expr:
    """Median time that the matching engine took for a message."""
    return processing.median()


@feature(unit="ms", direction="high", source="REQUIREMENTS.md, TE-2, PA-T2")
def processing_p95(processing: pl.Expr) -> pl.Expr:
    """Time of the matching engine that one message in 20 exceeded."""
    return processing.quantile(0.95, "linear")


@feature(unit="ms", direction="high", source="REQUIREMENTS.md, TE-2, PA-T2")
def processing_max(processing: pl.Expr) -> pl.Expr:
    """Longest time that the matching engine took for a message."""
    return processing.max()


@feature(unit="messages", direction="high", source="REQUIREMENTS.md, TE-4")
def queue_depth_mean(queue_depth: pl.Expr) -> pl.Expr:
    """Mean number of messages that waited in the engine's queue."""
    return queue_depth.mean()


@feature(unit="messages", direction="high", source="REQUIREMENTS.md, TE-4, PF-D3")
def queue_depth_max(queue_depth: pl.Expr) -> pl.Expr:
    """Largest number of messages that waited in the engine's queue."""
    return queue_depth.max()


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole)


def _cancel_ratio_in(bucket: int, cancelled_in: pl.Expr, entered_in: pl.Expr) -> pl.Expr:
    known = cancelled_in.count() + entered_in.count() > 0
    entered = (entered_in == bucket).sum().clip(lower_bound=1)
    return pl.when(known).then((cancelled_in == bucket).sum() / entered)


DECLARED = collect(order_life.__name__) + collect(__name__)
# Most accounts are silent most of the time: that is no news, and would be millions of windows.
ACCOUNT_SYMBOL_1M = FeatureView(
    "orders.account_symbol_1m",
    ORDERS,
    ("account", "symbol"),
    timedelta(minutes=1),
    DECLARED,
    forget_after=timedelta(minutes=30),
)
ACCOUNT_SYMBOL_5S = FeatureView(
    "orders.account_symbol_5s",
    ORDERS,
    ("account", "symbol"),
    timedelta(seconds=5),
    DECLARED,
    forget_after=timedelta(minutes=2),
)
SYMBOL_1M = FeatureView("orders.symbol_1m", ORDERS, ("symbol",), timedelta(minutes=1), DECLARED)
