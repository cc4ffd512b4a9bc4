"""Mined transactions of watched contracts: what a contract, block by block, is made to do."""

from __future__ import annotations

import polars as pl

from features.stream import TIME, Column, Stream

__all__ = ["TRANSACTIONS", "WEI"]

WEI = 1e18
"""Wei in an ether."""

TRANSACTIONS = Stream(
    "transactions",
    (
        Column("ts", TIME, "Time of the block."),
        Column(
            "address",
            pl.String(),
            "Watched contract or account that the row is about: a transaction that touches two "
            "of them, as sender, recipient or in an internal call, is two rows.",
        ),
        Column("hash", pl.String(), "Hash of the transaction."),
        Column("index", pl.Int64(), "Position in the block; that of the row where none is told."),
        Column("block", pl.Int64(), "Number of the block.", required=False, at_least=0),
        Column("sender", pl.String(), "Account that signed the transaction."),
        Column("to", pl.String(), "Recipient; null where a contract is created.", required=False),
        Column("value_wei", pl.Float64(), "Ether sent along.", "wei", at_least=0),
        Column(
            "selector",
            pl.String(),
            "First four bytes of the input; 0x where it is shorter.",
            required=False,
        ),
        Column("success", pl.Boolean(), "Whether the transaction was not reverted."),
        Column(
            "nonce",
            pl.Int64(),
            "Transactions the sender signed before.",
            "transactions",
            required=False,
            at_least=0,
        ),
        Column("gas_limit", pl.Float64(), "Gas allowed.", "gas", required=False, at_least=0),
        Column("gas_used", pl.Float64(), "Gas used.", "gas", required=False, at_least=0),
        Column(
            "gas_price", pl.Float64(), "Effective price of gas.", "wei", required=False, at_least=0
        ),
        Column(
            "input_length", pl.Int64(), "Length of the input.", "bytes", required=False, at_least=0
        ),
        Column("created", pl.String(), "Contract that the transaction created.", required=False),
        Column(
            "failure",
            pl.Enum(["revert", "panic", "out_of_gas", "other"]),
            "Why it was reverted, where known.",
            required=False,
        ),
        # What the watched contract's events say; amounts in units of the asset it keeps.
        Column(
            "deposits",
            pl.Int64(),
            "Deposit events of the address.",
            "events",
            required=False,
            at_least=0,
        ),
        Column(
            "deposited", pl.Float64(), "Sum of those deposits.", "asset", required=False, at_least=0
        ),
        Column(
            "withdrawals",
            pl.Int64(),
            "Withdrawal events of the address.",
            "events",
            required=False,
            at_least=0,
        ),
        Column(
            "withdrawn",
            pl.Float64(),
            "Sum of those withdrawals.",
            "asset",
            required=False,
            at_least=0,
        ),
        Column(
            "transferred",
            pl.Float64(),
            "Sum of the address's Transfer events.",
            "asset",
            required=False,
            at_least=0,
        ),
        Column(
            "minted",
            pl.Float64(),
            "Supply that the transaction made.",
            "asset",
            required=False,
            at_least=0,
        ),
        Column(
            "state_changes",
            pl.Int64(),
            "Events that the address emitted.",
            "events",
            required=False,
            at_least=0,
        ),
        Column(
            "privileged",
            pl.Enum(["pause", "unpause", "role", "owner", "upgrade", "mint", "parameter", "other"]),
            "Gravest privileged event of the address, where there is one.",
            required=False,
        ),
        Column(
            "privileged_events",
            pl.Int64(),
            "Privileged events of the address.",
            "events",
            required=False,
            at_least=0,
        ),
        # What is known around it.
        Column(
            "balance",
            pl.Float64(),
            "What the address holds before the transaction.",
            "asset",
            required=False,
            at_least=0,
        ),
        Column(
            "supply",
            pl.Float64(),
            "Supply of the token after it.",
            "asset",
            required=False,
            at_least=0,
        ),
        Column(
            "balances",
            pl.Float64(),
            "Sum of the holders' balances after it.",
            "asset",
            required=False,
            at_least=0,
        ),
        Column(
            "reserves",
            pl.Float64(),
            "What the address owns after it.",
            "asset",
            required=False,
            at_least=0,
        ),
        Column(
            "liabilities",
            pl.Float64(),
            "What the address owes after it.",
            "asset",
            required=False,
            at_least=0,
        ),
        Column(
            "first_call",
            pl.Boolean(),
            "Whether the sender never sent to the address before, where known.",
            required=False,
        ),
        Column(
            "sender_age",
            pl.Float64(),
            "Time since the sender's first transaction, where that was seen.",
            "s",
            required=False,
            at_least=0,
        ),
        Column(
            "contract_age",
            pl.Float64(),
            "Time since `to`, or what is created instead, was created, where that was seen.",
            "s",
            required=False,
            at_least=0,
        ),
        Column(
            "funder",
            pl.Enum(["exchange", "bridge", "mixer", "contract", "account"]),
            "What sent ether to the sender before its first transaction: of several, what is "
            "hardest to see behind.",
            required=False,
        ),
    ),
    key=("address", "hash", "index"),
)
