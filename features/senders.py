"""Transactions by sender, and by function of a contract: each against its own past."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features.expressions import firsts, share
from features.transactions import TRANSACTIONS, WEI
from features.view import FeatureView, collect, derived, feature

__all__ = ["FUNCTION_1M", "SENDER_1M"]


@derived
def once(hash: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the row is the transaction's first in the window: one may touch two addresses."""
    return firsts(hash, window)


@derived
def address_first(address: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the address comes for the first time in the window."""
    return firsts(address, window)


@derived
def sender_first(sender: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the sender comes for the first time in the window."""
    return firsts(sender, window)


@feature(unit="transactions", direction="high", silent=0, scale="ratio", source="SC-D1")
def transactions(once: pl.Expr) -> pl.Expr:
    """Number of transactions."""
    return once.sum()


@feature(unit="addresses", direction="high", silent=0, scale="ratio", source="SC-D1")
def addresses(address_first: pl.Expr) -> pl.Expr:
    """Number of different watched addresses that were touched."""
    return address_first.sum()


@feature(unit="accounts", direction="high", silent=0, scale="ratio", source="SC-D1")
def senders(sender_first: pl.Expr) -> pl.Expr:
    """Number of different senders."""
    return sender_first.sum()


@feature(unit="share", direction="high", source="SCM-2")
def failed_share(success: pl.Expr, once: pl.Expr) -> pl.Expr:
    """Share of the transactions that were reverted."""
    return share((once & ~success).sum(), once.sum())


@feature(unit="gas/transaction", direction="high", scale="ratio", source="SC-D4")
def gas_per_call(gas_used: pl.Expr, once: pl.Expr) -> pl.Expr:
    """Mean gas used: a function that suddenly does more than it ever did uses more."""
    return gas_used.filter(once).mean()


@feature(unit="gas/transaction", direction="high", scale="ratio", source="SC-D4")
def most_gas(gas_used: pl.Expr) -> pl.Expr:
    """Gas used by the transaction that used most."""
    return gas_used.max()


@feature(unit="share", direction="high", source="SC-D4")
def gas_share(gas_used: pl.Expr, gas_limit: pl.Expr, once: pl.Expr) -> pl.Expr:
    """Mean share of the gas allowed that was used."""
    return pl.when(once & (gas_limit > 0)).then(gas_used / gas_limit).mean()


@feature(unit="ETH", direction="high", silent=0, scale="ratio", source="SC-D1")
def fees(gas_used: pl.Expr, gas_price: pl.Expr, once: pl.Expr) -> pl.Expr:
    """Ether paid for gas."""
    return (gas_used * gas_price * once).sum() / WEI


@feature(unit="ETH", direction="high", silent=0, scale="ratio", source="SC-D1")
def ether(value_wei: pl.Expr, success: pl.Expr, once: pl.Expr) -> pl.Expr:
    """Ether sent along with the transactions that were not reverted."""
    return (value_wei * (success & once)).sum() / WEI


@feature(unit="events", direction="high", silent=0, scale="ratio", source="SCENARIOS.md, S1")
def most_withdrawals(withdrawals: pl.Expr) -> pl.Expr:
    """Most withdrawals in one transaction from one address."""
    return withdrawals.max()


@feature(unit="events/event", direction="high", silent=0, scale="ratio", source="SCENARIOS.md, S1")
def withdrawals_per_deposit(withdrawals: pl.Expr, deposits: pl.Expr) -> pl.Expr:
    """Withdrawals over deposits and one."""
    return withdrawals.sum() / (deposits.sum() + 1)


@feature(unit="contracts", direction="high", silent=0, scale="ratio", source="SCENARIOS.md, S1")
def created_contracts(created: pl.Expr, once: pl.Expr) -> pl.Expr:
    """Contracts created."""
    return (created.is_not_null() & once).sum()


@feature(unit="events", direction="high", silent=0, scale="ratio", source="SC-D2")
def privileged_calls(privileged_events: pl.Expr) -> pl.Expr:
    """Privileged events caused."""
    return privileged_events.sum()


SENDER_1M = FeatureView(
    "transactions.sender_1m", TRANSACTIONS, ("sender",), timedelta(minutes=1), collect(__name__)
)
FUNCTION_1M = FeatureView(
    "transactions.address_selector_1m",
    TRANSACTIONS,
    ("address", "selector"),
    timedelta(minutes=1),
    collect(__name__),
)
"""A function against its own past: the gas of one selector is comparable only with itself."""
