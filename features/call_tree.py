"""Where a call stands in its transaction's tree: who is entered again, what is called again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numba import int64, uint8
from numpy.typing import NDArray

from features.jit import kernel, read
from features.view import derived

__all__ = ["CALL", "CREATES", "DELEGATES", "ENDS", "PLACES", "READS", "TREE", "walk"]

CALL, READS, DELEGATES, CREATES, ENDS = 0, 1, 2, 3, 4
"""What a call means for the walk: it may change its callee, only reads it, runs its code in the
caller's place, makes it, or runs no code."""

PLACES = ("reentry", "read_reentry", "inside", "by_created", "siblings", "to_sender")
"""What `walk` says of each call, row by row."""
TREE = pl.Struct(dict.fromkeys(PLACES, pl.Int64()))

Numbers = NDArray[np.int64]


@derived
def meaning(kind: pl.Expr) -> pl.Expr:
    """What the call does to its callee, as `walk` wants it."""
    meanings = {"CALL": CALL, "STATICCALL": READS, "DELEGATECALL": DELEGATES}
    meanings |= {"CALLCODE": DELEGATES, "CREATE": CREATES, "CREATE2": CREATES}
    return kind.replace_strict(meanings, default=ENDS, return_dtype=pl.UInt8)


@derived
def is_nested(depth: pl.Expr) -> pl.Expr:
    """Whether the call is not the root."""
    return depth > 0


@derived
def tree(
    depth: pl.Expr, meaning: pl.Expr, from_address: pl.Expr, to_address: pl.Expr, window: pl.Expr
) -> pl.Expr:
    """Place of the call in the tree, of type `TREE`: see `walk`."""

    def run(columns: Sequence[pl.Series]) -> pl.Series:
        found = walk(*(column.to_numpy() for column in columns))
        return pl.DataFrame(dict(zip(PLACES, found, strict=True))).to_struct()

    addresses = [(x.cast(pl.Int64) + 1).fill_null(0) for x in (from_address, to_address)]
    inputs = [depth, meaning, *addresses, window.cast(pl.Int64)]
    return pl.map_batches(inputs, run, return_dtype=TREE)


@derived
def is_change(kind: pl.Expr, is_nested: pl.Expr) -> pl.Expr:
    """Whether the call is a nested CALL: one that may change its callee."""
    return (kind == "CALL") & is_nested


@derived
def function_first(
    window: pl.Expr, from_address: pl.Expr, to_address: pl.Expr, selector: pl.Expr,
    is_change: pl.Expr,
) -> pl.Expr:  # fmt: skip
    """Whether this caller's first nested CALL of this function of this contract."""
    return is_change & _first(window, from_address, to_address, selector, is_change)


@derived
def other_function(
    window: pl.Expr, from_address: pl.Expr, to_address: pl.Expr, is_change: pl.Expr,
    function_first: pl.Expr,
) -> pl.Expr:  # fmt: skip
    """Whether this caller's first CALL of a function of a contract it called otherwise before."""
    return function_first & ~_first(window, from_address, to_address, is_change)


@derived
def two_sided(
    window: pl.Expr, from_address: pl.Expr, to_address: pl.Expr, other_function: pl.Expr
) -> pl.Expr:
    """Whether the second function that this caller calls of this contract."""
    return other_function & _first(window, from_address, to_address, other_function)


def _first(*columns: pl.Expr) -> pl.Expr:
    """Whether each row is the first of the frame with its values."""
    return pl.struct(*columns).is_first_distinct()


@kernel(int64[:, ::1](read(int64), read(uint8), read(int64), read(int64), read(int64)))
def walk(
    depth: Numbers, meaning: NDArray[np.uint8], caller: Numbers, callee: Numbers, window: Numbers
) -> Numbers:
    """Walk call trees in order of execution.

    A frame belongs to the contract whose state it works on: the callee, but the caller where
    only the callee's code is borrowed. A call enters a contract again when a frame of that
    contract waits below the caller's own frame, so a contract that calls itself does not.

    Parameters
    ----------
    depth : ndarray of shape (n,), int64
        Calls above each call. The caller is the latest call of less depth.
    meaning : ndarray of shape (n,), uint8
        `CALL`, `READS`, `DELEGATES`, `CREATES` or `ENDS`.
    caller, callee : ndarray of shape (n,), int64
        Codes of addresses from 1 on; 0 is none.
    window : ndarray of shape (n,), int64
        Number of the transaction; its rows stand together.

    Returns
    -------
    ndarray of shape (6, n), int64
        A row for each of `PLACES`: 1 where a `CALL` enters a contract again; 1 where a call that
        `READS` does; how many frames above the call were entered again by a `CALL`; 1 where the
        caller was created earlier in the transaction; which child of its caller's frame the call
        is, from 1 on, 0 for a root; 1 where the callee is the caller of the transaction's first
        call, who sent it.

    Source: ours; re-entrancy as in SCENARIOS.md, S1.
    """
    n = depth.size
    found = np.zeros((6, n), np.int64)
    reentry, read_reentry, inside, by_created, siblings, to_sender = found
    codes = 1
    for i in range(n):
        codes = max(codes, caller[i] + 1, callee[i] + 1)
    created_in = np.full(codes, -1, np.int64)
    owner, entered, children = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    level = np.zeros(n, np.int64)
    top, sender = 0, 0
    for i in range(n):
        if i == 0 or window[i] != window[i - 1]:
            top, sender = 0, caller[i]
        while top > 0 and level[top - 1] >= depth[i]:
            top -= 1
        by_created[i] = caller[i] > 0 and created_in[caller[i]] == window[i]
        to_sender[i] = callee[i] > 0 and callee[i] == sender
        again = False
        if top > 0:
            children[top - 1] += 1
            siblings[i] = children[top - 1]
            inside[i] = entered[top - 1]
            if callee[i] > 0 and callee[i] != owner[top - 1]:
                for below in range(top - 1):
                    again = again or owner[below] == callee[i]
        reentry[i] = again and meaning[i] == CALL
        read_reentry[i] = again and meaning[i] == READS
        if meaning[i] == CREATES and callee[i] > 0:
            created_in[callee[i]] = window[i]
        level[top] = depth[i]
        owner[top] = caller[i] if meaning[i] == DELEGATES else callee[i]
        entered[top] = inside[i] + reentry[i]
        children[top] = 0
        top += 1
    return found
