"""Call trees: what one transaction did, call by call."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features import call_standards, call_tree
from features.expressions import entropy, entropy_step, firsts
from features.stream import TIME, Column, Stream
from features.view import FeatureView, collect, derived, feature

__all__ = ["CALLS", "KINDS", "TRANSACTION_1S"]

WEI = 1e18
"""Wei in an ether."""
SELECTOR = 4
"""Length of a selector, bytes: the least that a request says."""

KINDS = pl.Enum(
    [
        "CALL",
        "STATICCALL",
        "DELEGATECALL",
        "CALLCODE",
        "CREATE",
        "CREATE2",
        "SELFDESTRUCT",
        "OTHER",
    ]
)
"""Kinds of call, as the callTracer of nodes names them."""

CALLS = Stream(
    "calls",
    (
        Column("ts", TIME, "Time of the block."),
        Column("tx", pl.String(), "Hash of the transaction."),
        Column("idx", pl.Int64(), "Number of the call in order of execution; 0 is the root."),
        Column(
            "depth",
            pl.Int64(),
            "Calls above this one; 0 for the root. The virtual machine allows 1,024.",
            "calls",
            at_least=0,
            at_most=1024,
        ),
        Column(
            "kind",
            KINDS,
            "What kind of call it is.",
        ),
        Column("from_address", pl.String(), "Contract or account that calls."),
        Column("to_address", pl.String(), "What is called, or created.", required=False),
        Column("value_wei", pl.Float64(), "Ether moved.", "wei", required=False, at_least=0),
        Column(
            "selector",
            pl.String(),
            "First four bytes of the input, in lower case; 0x where it is shorter.",
            required=False,
        ),
        Column(
            "input_length", pl.Int64(), "Length of the input.", "bytes", required=False, at_least=0
        ),
    ),
    key=("tx", "idx"),
)

S1 = "SCENARIOS.md, S1"
EIP = call_standards.SOURCE


@derived
def contract_first(to_address: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the first call to its callee in the transaction."""
    return firsts(to_address, window)


@derived
def selector_first(selector: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the first call of its selector in the transaction."""
    return firsts(selector, window)


@derived
def selector_step(selector: pl.Expr, window: pl.Expr) -> pl.Expr:
    """By how much the call raises the transaction's sum of c ln c over counts c of selectors."""
    return entropy_step(selector, window)


@derived
def nested_ether(value_wei: pl.Expr, is_nested: pl.Expr) -> pl.Expr:
    """Ether that a nested call moves, else 0."""
    return pl.when(is_nested).then(value_wei).fill_null(0.0) / WEI


@derived
def nested_input(input_length: pl.Expr, is_nested: pl.Expr) -> pl.Expr:
    """Length of a nested call's input, else 0."""
    return pl.when(is_nested).then(input_length).fill_null(0)


@derived
def pays_sender(tree: pl.Expr, value_wei: pl.Expr, meaning: pl.Expr, is_nested: pl.Expr) -> pl.Expr:
    """Whether a nested call, or a contract's end, pays ether to the transaction's sender."""
    moves = meaning.is_in([call_tree.CALL, call_tree.ENDS]) & (value_wei.fill_null(0.0) > 0)
    return moves & is_nested & (tree.struct.field("to_sender") == 1)


@derived
def request(input_length: pl.Expr, is_nested: pl.Expr, meaning: pl.Expr) -> pl.Expr:
    """Length of the root's input; 0 where that is a contract's code, and for nested calls."""
    is_request = ~is_nested & (meaning != call_tree.CREATES)
    return pl.when(is_request).then(input_length).fill_null(0)


@feature(unit="calls", direction="high", silent=0, scale="ratio", source="SC-D1")
def calls() -> pl.Expr:
    """Number of calls, the root included."""
    return pl.len()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source="SC-D1")
def depth_reached(depth: pl.Expr) -> pl.Expr:
    """Greatest number of calls above a call."""
    return depth.max()


@feature(unit="contracts", direction="high", silent=0, scale="ratio", source=S1)
def contracts(contract_first: pl.Expr) -> pl.Expr:
    """Number of different callees."""
    return contract_first.sum()


@feature(unit="functions", direction="high", silent=0, scale="ratio", source=S1)
def functions(selector_first: pl.Expr) -> pl.Expr:
    """Number of different selectors."""
    return selector_first.sum()


@feature(unit="bits", direction="high", silent=0, source="SC-D1")
def function_entropy(selector_step: pl.Expr, selector: pl.Expr) -> pl.Expr:
    """Entropy of the selectors; 0 where all are the same."""
    return entropy(selector_step, selector).fill_null(0.0)


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def reentries(tree: pl.Expr) -> pl.Expr:
    """Calls that enter a contract again while a call of it waits: callbacks, re-entrancy."""
    return tree.struct.field("reentry").sum()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def read_reentries(tree: pl.Expr) -> pl.Expr:
    """Static calls that read a contract while a call of it waits."""
    return tree.struct.field("read_reentry").sum()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def calls_inside(tree: pl.Expr) -> pl.Expr:
    """Calls made below a call that entered a contract again, as in a flash loan's callback."""
    return (tree.struct.field("inside") > 0).sum()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def reentry_depth(tree: pl.Expr) -> pl.Expr:
    """Greatest number of frames above a call that were entered again."""
    return tree.struct.field("inside").max()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def repeated_calls(is_change: pl.Expr, function_first: pl.Expr) -> pl.Expr:
    """Nested CALLs of a function of a contract by a caller that called it before."""
    return is_change.sum() - function_first.sum()


@feature(unit="pairs", direction="high", silent=0, scale="ratio", source=S1)
def two_sided_pairs(two_sided: pl.Expr) -> pl.Expr:
    """Pairs of caller and contract with CALLs of two or more functions: in and out again."""
    return two_sided.sum()


@feature(unit="calls/byte", direction="high", silent=0, scale="ratio", source="ours")
def changes_per_byte(is_change: pl.Expr, request: pl.Expr) -> pl.Expr:
    """Nested CALLs over the length of the request, at least that of a selector.

    A user says what is to be done; an attack was programmed beforehand and needs only a trigger.
    """
    return is_change.sum() / _asked(request)


@feature(unit="bytes/byte", direction="high", silent=0, scale="ratio", source="ours")
def input_per_byte(nested_input: pl.Expr, request: pl.Expr) -> pl.Expr:
    """Input of all nested calls over the length of the request, at least that of a selector."""
    return nested_input.sum() / _asked(request)


@feature(unit="calls/byte", direction="high", silent=0, scale="ratio", source=EIP)
def approvals_per_byte(is_approval: pl.Expr, request: pl.Expr) -> pl.Expr:
    """Approvals over the length of the request, at least that of a selector.

    A user approves in a transaction of its own; a contract just written has nothing approved yet.
    """
    return is_approval.sum() / _asked(request)


@feature(unit="calls/byte", direction="high", silent=0, scale="ratio", source=S1)
def read_reentries_per_byte(tree: pl.Expr, request: pl.Expr) -> pl.Expr:
    """Static calls that read a contract while a call of it waits, over the length of the request.

    Read-only re-entrancy: what is read then may be half changed. The length is at least that of a
    selector.
    """
    return tree.struct.field("read_reentry").sum() / _asked(request)


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def static_calls(kind: pl.Expr) -> pl.Expr:
    """Number of static calls."""
    return (kind == "STATICCALL").sum()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def delegate_calls(kind: pl.Expr) -> pl.Expr:
    """Number of calls that borrow the callee's code: DELEGATECALL and CALLCODE."""
    return kind.is_in(["DELEGATECALL", "CALLCODE"]).sum()


@feature(unit="contracts", direction="high", silent=0, scale="ratio", source=S1)
def created(kind: pl.Expr) -> pl.Expr:
    """Number of contracts created, the root included."""
    return kind.is_in(["CREATE", "CREATE2"]).sum()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def calls_by_created(tree: pl.Expr) -> pl.Expr:
    """Calls made by a contract that was created in the same transaction."""
    return tree.struct.field("by_created").sum()


@feature(unit="contracts", direction="high", silent=0, scale="ratio", source=S1)
def destroyed(kind: pl.Expr) -> pl.Expr:
    """Number of self-destructs."""
    return (kind == "SELFDESTRUCT").sum()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def fan_out(tree: pl.Expr) -> pl.Expr:
    """Greatest number of calls that one call makes itself."""
    return tree.struct.field("siblings").max()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=S1)
def payouts(pays_sender: pl.Expr) -> pl.Expr:
    """Nested calls that pay ether to the account that sent the transaction."""
    return pays_sender.sum()


@feature(unit="ETH", direction="high", silent=0, scale="ratio", source=S1)
def ether_moved(nested_ether: pl.Expr) -> pl.Expr:
    """Ether moved by nested calls."""
    return nested_ether.sum()


def _asked(request: pl.Expr) -> pl.Expr:
    return request.sum().clip(lower_bound=SELECTOR)


TRANSACTION_1S = FeatureView(
    "calls.transaction_1s",
    CALLS,
    ("tx",),
    timedelta(seconds=1),
    collect(call_tree.__name__) + collect(__name__) + collect(call_standards.__name__),
    # A transaction is mined once: what was silent before and after says nothing.
    forget_after=timedelta(0),
    recent=timedelta(seconds=1),
    main=(
        "reentries",
        "repeated_calls",
        "two_sided_pairs",
        "changes_per_byte",
        "approvals_per_byte",
        "read_reentries_per_byte",
        "payouts",
    ),
)
"""One window a transaction: all its calls have the time of its block, in whole seconds."""
