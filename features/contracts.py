"""Transactions of watched contracts: gas, failures, money out, and what only few may do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl

from features.expressions import entropy, entropy_step, firsts, share
from features.novelty import is_new
from features.transactions import TRANSACTIONS, WEI
from features.view import FeatureView, collect, derived, feature

__all__ = ["ADDRESS_1M", "ADDRESS_12S"]

S1, S2 = "SCENARIOS.md, S1", "SCENARIOS.md, S2"


@derived
def new_caller(sender: pl.Expr, first_call: pl.Expr, _entity: pl.Expr, _start: pl.Expr) -> pl.Expr:
    """Whether the sender is new to the address: told so, or not among its latest callers."""
    return pl.coalesce(first_call, is_new(sender, _entity, _start))


@derived
def caller_first(sender: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the sender comes for the first time in the window."""
    return firsts(sender, window)


@derived
def function_first(selector: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the selector comes for the first time in the window."""
    return firsts(selector, window)


@derived
def function_step(selector: pl.Expr, window: pl.Expr) -> pl.Expr:
    """By how much the transaction raises the window's sum of c ln c over counts c of selectors."""
    return entropy_step(selector, window)


@derived
def gone(withdrawn: pl.Expr, deposited: pl.Expr) -> pl.Expr:
    """What the transaction withdrew less what it deposited; null where neither is known."""
    known = withdrawn.is_not_null() | deposited.is_not_null()
    return pl.when(known).then(withdrawn.fill_null(0.0) - deposited.fill_null(0.0))


@feature(unit="transactions", direction="high", silent=0, scale="ratio", source="SCM-3")
def calls() -> pl.Expr:
    """Number of transactions."""
    return pl.len()


@feature(unit="share", direction="low", source="SCM-2")
def success_rate(success: pl.Expr) -> pl.Expr:
    """Share of the transactions that were not reverted."""
    return success.mean()


@feature(unit="share", direction="high", source="SC-D3")
def panic_share(failure: pl.Expr) -> pl.Expr:
    """Share of the transactions that broke an assertion."""
    return (failure.eq_missing("panic")).mean()


@feature(unit="share", direction="high", source="SC-D4")
def out_of_gas_share(failure: pl.Expr) -> pl.Expr:
    """Share of the transactions that ran out of gas."""
    return (failure.eq_missing("out_of_gas")).mean()


@feature(unit="gas", direction="high", silent=0, scale="ratio", source="SCM-1")
def gas(gas_used: pl.Expr) -> pl.Expr:
    """Gas used by all transactions."""
    return gas_used.sum()


@feature(unit="gas", direction="high", scale="ratio", source="SC-D4")
def most_gas(gas_used: pl.Expr) -> pl.Expr:
    """Gas used by the transaction that used most."""
    return gas_used.max()


@feature(unit="wei", direction="high", scale="ratio", source="SCM-1")
def median_gas_price(gas_price: pl.Expr) -> pl.Expr:
    """Median effective price of gas."""
    return gas_price.median()


@feature(unit="events", direction="high", silent=0, scale="ratio", source="SCM-4")
def changes(state_changes: pl.Expr) -> pl.Expr:
    """Events that the address emitted."""
    return state_changes.sum()


@feature(unit="events/transaction", direction="high", scale="ratio", source="SCM-4")
def most_changes(state_changes: pl.Expr) -> pl.Expr:
    """Most events that the address emitted in one transaction."""
    return state_changes.max()


@feature(unit="accounts", direction="high", silent=0, scale="ratio", source="SC-D1")
def callers(caller_first: pl.Expr) -> pl.Expr:
    """Number of different senders."""
    return caller_first.sum()


@feature(unit="share", direction="high", source="SC-D1")
def new_caller_share(new_caller: pl.Expr) -> pl.Expr:
    """Share of the transactions whose sender is new to the address."""
    return new_caller.mean()


@feature(unit="functions", direction="high", silent=0, scale="ratio", source="SC-D1")
def functions(function_first: pl.Expr) -> pl.Expr:
    """Number of different selectors."""
    return function_first.sum()


@feature(unit="bits", direction="both", source="SC-D1")
def selector_entropy(function_step: pl.Expr, selector: pl.Expr) -> pl.Expr:
    """Entropy of the selectors; 0 where all are the same."""
    return entropy(function_step, selector)


@feature(unit="ETH", direction="high", silent=0, scale="ratio", source="SC-D1")
def ether(value_wei: pl.Expr, success: pl.Expr) -> pl.Expr:
    """Ether sent along with the transactions that were not reverted."""
    return (value_wei * success).sum() / WEI


@feature(unit="events/event", direction="high", silent=0, scale="ratio", source=S1)
def withdrawals_per_deposit(withdrawals: pl.Expr, deposits: pl.Expr) -> pl.Expr:
    """Withdrawals over deposits and one."""
    return withdrawals.sum() / (deposits.sum() + 1)


@feature(unit="events", direction="high", silent=0, scale="ratio", source=S1)
def most_withdrawals(withdrawals: pl.Expr) -> pl.Expr:
    """Most withdrawals in one transaction: a re-entrancy drain makes many."""
    return withdrawals.max()


@feature(unit="share", direction="high", silent=0, source=S1)
def outflow_share(gone: pl.Expr, balance: pl.Expr) -> pl.Expr:
    """Withdrawn less deposited, over what the address held at first; below 0 what it gained."""
    before = balance.drop_nulls().first()
    return pl.when(gone.count() > 0).then(share(gone.sum(), before))


@feature(unit="share", direction="high", silent=0, source=S1)
def largest_outflow_share(gone: pl.Expr, balance: pl.Expr) -> pl.Expr:
    """Greatest share of what the address held that one transaction took out."""
    return pl.when(balance > 0).then(gone / balance).max()


@feature(unit="events", direction="high", silent=0, scale="ratio", source="SC-D2")
def privileged_calls(privileged_events: pl.Expr, privileged: pl.Expr) -> pl.Expr:
    """Privileged events: a role, an owner, the code or a parameter changed, a pause, a mint."""
    return pl.coalesce(privileged_events, privileged.is_not_null().cast(pl.Int64)).sum()


@feature(unit="transactions", direction="high", silent=0, source=S2)
def role_changes(privileged: pl.Expr) -> pl.Expr:
    """Transactions whose gravest privileged event gave or took a role or the ownership."""
    return privileged.is_in(["role", "owner"]).sum()


@feature(unit="transactions", direction="high", silent=0, source="SCM-4")
def pauses(privileged: pl.Expr) -> pl.Expr:
    """Transactions whose gravest privileged event stopped the contract or let it go on."""
    return privileged.is_in(["pause", "unpause"]).sum()


@feature(unit="transactions", direction="high", silent=0, source=S2)
def upgrades(privileged: pl.Expr) -> pl.Expr:
    """Transactions whose gravest privileged event changed the code."""
    return privileged.eq_missing("upgrade").sum()


@feature(unit="share", direction="high", silent=0, source=S2)
def minted_share(minted: pl.Expr, supply: pl.Expr) -> pl.Expr:
    """What was minted over the supply at the end."""
    return share(minted.sum(), supply.drop_nulls().last())


@feature(unit="asset", direction="both", source="SC-D3")
def supply_minus_balances(supply: pl.Expr, balances: pl.Expr) -> pl.Expr:
    """Supply less the holders' balances, furthest from 0; not 0 breaks an invariant."""
    over = supply - balances
    return pl.when(over.max() >= -over.min()).then(over.max()).otherwise(over.min())


@feature(unit="asset", direction="low", source="SC-D3")
def reserves_minus_liabilities(reserves: pl.Expr, liabilities: pl.Expr) -> pl.Expr:
    """What is owned less what is owed, at its least; below 0 breaks an invariant."""
    return (reserves - liabilities).min()


@feature(unit="s", direction="low", scale="ratio", source=S1)
def youngest_sender(sender_age: pl.Expr) -> pl.Expr:
    """Least time since a sender's first transaction."""
    return sender_age.min()


@feature(unit="s", direction="low", scale="ratio", source=S1)
def youngest_contract(contract_age: pl.Expr) -> pl.Expr:
    """Least time since a contract through which the address was reached was created."""
    return contract_age.min()


@feature(unit="transactions", direction="high", silent=0, source=S1)
def mixer_funded(funder: pl.Expr) -> pl.Expr:
    """Transactions of senders whom a mixer paid before they ever sent anything."""
    return funder.eq_missing("mixer").sum()


ADDRESS_1M = FeatureView(
    "transactions.address_1m",
    TRANSACTIONS,
    ("address",),
    timedelta(minutes=1),
    collect(__name__),
    remember=("sender",),
)
ADDRESS_12S = replace(ADDRESS_1M, name="transactions.address_12s", every=timedelta(seconds=12))
"""As long as a block of Ethereum takes."""
