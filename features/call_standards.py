"""Functions that standards name, in call trees: approvals, and what a flash loan calls back."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from features.view import derived, derived_from_text, feature

__all__ = ["APPROVALS", "LOANS", "SOURCE"]

SOURCE = "ERC-20, ERC-721, ERC-2612, ERC-3156"

APPROVALS: Mapping[str, str] = {
    "approve(address,uint256)": "0x095ea7b3",
    "setApprovalForAll(address,bool)": "0xa22cb465",
    "increaseAllowance(address,uint256)": "0x39509351",
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)": "0xd505accf",
}
"""Functions that let another account spend one's tokens: ERC-20 and OpenZeppelin's growth of it,
ERC-721 and ERC-1155, ERC-2612."""

LOANS: Mapping[str, str] = {
    "onFlashLoan(address,address,uint256,uint256,bytes)": "0x23e30c8b",
    "executeOperation(address,uint256,uint256,bytes)": "0xee872558",
    "executeOperation(address[],uint256[],uint256[],address,bytes)": "0x920f5c84",
    "executeOperation(address,uint256,uint256,address,bytes)": "0x1b11d0ff",
    "receiveFlashLoan(address[],uint256[],uint256[],bytes)": "0xf04f2707",
    "callFunction(address,(address,uint256),bytes)": "0x8b418713",
    "uniswapV2Call(address,uint256,uint256,bytes)": "0x10d1e85c",
    "pancakeCall(address,uint256,uint256,bytes)": "0x84800812",
    "uniswapV3FlashCallback(uint256,uint256,bytes)": "0xe9cbafb0",
}
"""Functions by which a lender hands over what must be back when they end: ERC-3156, Aave 1, 2 and
3, Balancer, dYdX, Uniswap 2 and its like, Uniswap 3."""


@derived_from_text
def approves(selector: pl.Expr) -> pl.Expr:
    """Whether the function lets another account spend tokens."""
    return selector.is_in(list(APPROVALS.values())).fill_null(False)


@derived_from_text
def lends(selector: pl.Expr) -> pl.Expr:
    """Whether the function is one by which a lender hands over a flash loan."""
    return selector.is_in(list(LOANS.values())).fill_null(False)


@derived
def is_approval(approves: pl.Expr, is_change: pl.Expr) -> pl.Expr:
    """Whether a nested CALL that lets another account spend tokens."""
    return approves & is_change


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=SOURCE)
def approvals(is_approval: pl.Expr) -> pl.Expr:
    """Nested CALLs that let another account spend tokens."""
    return is_approval.sum()


@feature(unit="calls", direction="high", silent=0, scale="ratio", source=SOURCE)
def flash_loans(lends: pl.Expr, is_change: pl.Expr) -> pl.Expr:
    """Nested CALLs by which a lender hands over a flash loan or the loan of a flash swap."""
    return (lends & is_change).sum()
