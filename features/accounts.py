"""Transactions of watched accounts: who pays in, who is paid, and how long money rests."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features.expressions import firsts, share
from features.transactions import TRANSACTIONS, WEI
from features.view import FeatureView, collect, derived, feature

__all__ = ["ACCOUNT_1D"]

TENTHS, NEARLY = 10, 1e-6
"""People pay in round numbers: whole tenths of an ether, as near as a float can tell."""


@derived
def is_out(sender: pl.Expr, address: pl.Expr) -> pl.Expr:
    """Whether the account signed the transaction."""
    return sender == address


@derived
def paid(value_wei: pl.Expr, success: pl.Expr) -> pl.Expr:
    """Ether that the transaction moved; 0 where it failed."""
    return value_wei * success / WEI


@derived
def payer(sender: pl.Expr, is_out: pl.Expr, paid: pl.Expr) -> pl.Expr:
    """Who paid the account; null where nobody did."""
    return pl.when(~is_out & (paid > 0)).then(sender)


@derived
def payer_first(payer: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the payer pays for the first time in the window."""
    return firsts(payer, window)


@derived
def payer_second(payer: pl.Expr, payer_first: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the payer pays for the second time in the window."""
    return firsts(pl.when(~payer_first).then(payer), window)


@derived
def payee_first(to: pl.Expr, is_out: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the account sends to this recipient for the first time in the window."""
    return firsts(pl.when(is_out).then(to), window)


@derived
def left_at(ts: pl.Expr, is_out: pl.Expr) -> pl.Expr:
    """Time of the next transaction that the account signed, this one included, microseconds."""
    return pl.when(is_out).then(ts.to_physical()).backward_fill()


@derived
def left_in(window: pl.Expr, is_out: pl.Expr) -> pl.Expr:
    """Window of the next transaction that the account signed."""
    return pl.when(is_out).then(window).backward_fill()


@derived
def held(
    ts: pl.Expr, payer: pl.Expr, left_at: pl.Expr, left_in: pl.Expr, window: pl.Expr
) -> pl.Expr:
    """Seconds from a payment in to the account's next transaction in the window; else null."""
    known = payer.is_not_null() & (left_in == window)
    return pl.when(known).then((left_at - ts.to_physical()) / 1e6)


@derived
def pause(ts: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Seconds since the previous transaction of the account in the window; null for the first."""
    us = ts.to_physical()
    return pl.when(window == window.shift(1)).then((us - us.shift(1)) / 1e6)


@feature(unit="transactions", direction="high", silent=0, scale="ratio", source="SC-D1")
def transactions() -> pl.Expr:
    """Number of transactions, in and out."""
    return pl.len()


@feature(unit="payments", direction="high", silent=0, scale="ratio", source="SC-D1")
def payments_in(payer: pl.Expr) -> pl.Expr:
    """Number of payments to the account."""
    return payer.count()


@feature(unit="transactions", direction="high", silent=0, scale="ratio", source="SC-D1")
def sent(is_out: pl.Expr) -> pl.Expr:
    """Number of transactions that the account signed."""
    return is_out.sum()


@feature(unit="accounts", direction="high", silent=0, scale="ratio", source="ours")
def payers(payer_first: pl.Expr) -> pl.Expr:
    """Number of different accounts that paid the account."""
    return payer_first.sum()


@feature(unit="accounts", direction="high", silent=0, scale="ratio", source="ours")
def one_time_payers(payer_first: pl.Expr, payer_second: pl.Expr) -> pl.Expr:
    """Number of accounts that paid the account once: victims do not come back, customers do."""
    return payer_first.sum() - payer_second.sum()


@feature(unit="accounts", direction="high", silent=0, scale="ratio", source="ours")
def payees(payee_first: pl.Expr) -> pl.Expr:
    """Number of different recipients of the account's transactions."""
    return payee_first.sum()


@feature(unit="accounts/account", direction="high", silent=0, scale="ratio", source="ours")
def payers_per_payee(payer_first: pl.Expr, payee_first: pl.Expr) -> pl.Expr:
    """Payers over recipients and one: many pay in, few are paid."""
    return payer_first.sum() / (payee_first.sum() + 1)


@feature(unit="payments", direction="high", silent=0, scale="ratio", source="ours")
def round_payments(paid: pl.Expr, payer: pl.Expr) -> pl.Expr:
    """Payments in of whole tenths of an ether, as people send."""
    tenths = paid * TENTHS
    return (((tenths - tenths.round()).abs() < NEARLY) & payer.is_not_null()).sum()


@feature(unit="s", direction="high", scale="ratio", source="ours")
def holding_time(held: pl.Expr) -> pl.Expr:
    """Median time from a payment in to the account's next transaction.

    A deposit address passes each payment on at once; a collector waits.
    """
    return held.median()


@feature(unit="s", direction="high", scale="ratio", source="ours")
def shortest_hold(held: pl.Expr) -> pl.Expr:
    """Shortest time from a payment in to the account's next transaction."""
    return held.min()


@feature(unit="ETH", direction="high", silent=0, scale="ratio", source="SC-D1")
def ether_in(paid: pl.Expr, is_out: pl.Expr) -> pl.Expr:
    """Ether paid to the account."""
    return (paid * ~is_out).sum()


@feature(unit="ETH", direction="high", silent=0, scale="ratio", source="SC-D1")
def ether_out(paid: pl.Expr, is_out: pl.Expr) -> pl.Expr:
    """Ether that the account sent."""
    return (paid * is_out).sum()


@feature(unit="share", direction="high", source="ours")
def largest_out_share(paid: pl.Expr, is_out: pl.Expr) -> pl.Expr:
    """Share of the ether sent that left in the largest transaction."""
    out = paid * is_out
    return share(out.max(), out.sum())


@feature(unit="share", direction="both", source="ours")
def net_share(paid: pl.Expr, is_out: pl.Expr) -> pl.Expr:
    """Ether in less ether out, over both: 1 gathers only, -1 spends only."""
    return share((paid * ~is_out).sum() - (paid * is_out).sum(), paid.sum())


@feature(unit="share", direction="high", source="SCM-2")
def failed_share(success: pl.Expr) -> pl.Expr:
    """Share of the transactions that were reverted."""
    return (~success).mean()


@feature(unit="std/mean", direction="high", source="ours")
def burstiness(pause: pl.Expr) -> pl.Expr:
    """Standard deviation of the pauses between transactions over their mean."""
    return pl.when(pause.count() > 1).then(share(pause.std(), pause.mean()))


@feature(unit="s", direction="both", silent=0, scale="ratio", source="ours")
def active_time(pause: pl.Expr) -> pl.Expr:
    """Time from the first transaction to the last."""
    return pause.sum()


ACCOUNT_1D = FeatureView(
    "transactions.account_1d",
    TRANSACTIONS,
    ("address",),
    timedelta(days=1),
    collect(__name__),
    recent=timedelta(days=1),
    main=("payers", "one_time_payers", "round_payments", "shortest_hold"),
)
