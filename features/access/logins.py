"""Who tries to come in: tries and failures, accounts tried, a success after failures, privilege."""

from __future__ import annotations

import numpy as np
import polars as pl
from numba import boolean, uint32
from numpy.typing import NDArray

from features.expressions import firsts, share
from features.jit import kernel, read
from features.view import derived, feature

__all__ = ["FAILURES", "success_after_failures"]

S3 = "SCENARIOS.md, S3"
FAILURES = 3
"""Failed logins of an account before a success is taken for a guess that hit; SCENARIOS.md, S3."""


@derived
def is_login(kind: pl.Expr) -> pl.Expr:
    """Whether the event is a try to log in."""
    return kind == "login"


@derived
def is_failed_login(is_login: pl.Expr, outcome: pl.Expr) -> pl.Expr:
    """Whether the event is a try to log in that failed."""
    return (is_login & (outcome == "failure")).fill_null(False)


@derived
def is_good_login(is_login: pl.Expr, outcome: pl.Expr) -> pl.Expr:
    """Whether the event is a login that succeeded."""
    return (is_login & (outcome == "success")).fill_null(False)


@derived
def tried_first(account: pl.Expr, is_login: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the account is tried for the first time in the window."""
    return firsts(pl.when(is_login).then(account), window)


@derived
def account_first(account: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the account comes for the first time in the window."""
    return firsts(account, window)


@derived
def hit(
    account: pl.Expr, is_failed_login: pl.Expr, is_good_login: pl.Expr, window: pl.Expr
) -> pl.Expr:
    """Whether a login succeeds after at least 3 failures of its account in the window."""
    return pl.map_batches(
        [
            is_failed_login & account.is_not_null(),
            is_good_login & account.is_not_null(),
            account.fill_null(0),
            window,
        ],
        lambda s: pl.Series(success_after_failures(*(x.to_numpy() for x in s))),
        return_dtype=pl.Boolean,
    )


@feature(unit="tries", direction="high", silent=0, scale="ratio", source="SP-M1")
def login_tries(is_login: pl.Expr) -> pl.Expr:
    """Number of tries to log in."""
    return is_login.sum()


@feature(unit="tries", direction="high", silent=0, scale="ratio", source=S3)
def login_failures(is_failed_login: pl.Expr) -> pl.Expr:
    """Number of tries to log in that failed."""
    return is_failed_login.sum()


@feature(unit="share", direction="high", source=S3)
def login_failure_share(is_failed_login: pl.Expr, is_login: pl.Expr) -> pl.Expr:
    """Share of the tries to log in that failed; null without a try."""
    return share(is_failed_login.sum(), is_login.sum())


@feature(unit="accounts", direction="high", silent=0, scale="ratio", source=S3)
def accounts_tried(tried_first: pl.Expr) -> pl.Expr:
    """Number of different accounts that were tried to log in to."""
    return tried_first.sum()


@feature(unit="tries/account", direction="high", scale="ratio", source=S3)
def tries_per_account(is_login: pl.Expr, tried_first: pl.Expr) -> pl.Expr:
    """Tries to log in over the accounts tried; null without an account."""
    return share(is_login.sum(), tried_first.sum())


@feature(unit="accounts", direction="high", silent=0, scale="ratio", source="SP-M1")
def accounts(account_first: pl.Expr) -> pl.Expr:
    """Number of different accounts, in events of any kind."""
    return account_first.sum()


@feature(unit="logins", direction="high", silent=0, scale="ratio", source=S3)
def hits(hit: pl.Expr) -> pl.Expr:
    """Logins that succeeded after at least 3 failures of the same account in the window."""
    return hit.sum()


@feature(unit="commands", direction="high", silent=0, scale="ratio", source="SP-M1")
def privileged(kind: pl.Expr) -> pl.Expr:
    """Commands run with the rights of another user."""
    return (kind == "sudo").sum()


@feature(unit="commands", direction="high", silent=0, scale="ratio", source="SP-M1")
def privileged_failures(kind: pl.Expr, outcome: pl.Expr) -> pl.Expr:
    """Commands with the rights of another user that were refused."""
    return ((kind == "sudo") & (outcome == "failure")).sum()


@feature(unit="keys", direction="high", silent=0, scale="ratio", source=S3)
def keys_created(kind: pl.Expr) -> pl.Expr:
    """API keys made."""
    return (kind == "key_created").sum()


@feature(unit="withdrawals", direction="high", silent=0, scale="ratio", source=S3)
def withdrawals(kind: pl.Expr) -> pl.Expr:
    """Withdrawals asked for."""
    return (kind == "withdrawal").sum()


@kernel(boolean[::1](read(boolean), read(boolean), read(uint32), read(uint32)))
def success_after_failures(
    failed: NDArray[np.bool_],
    succeeded: NDArray[np.bool_],
    account: NDArray[np.uint32],
    window: NDArray[np.uint32],
) -> NDArray[np.bool_]:
    """Whether each login succeeds after `FAILURES` or more of its account since its last success.

    Parameters
    ----------
    failed, succeeded, account, window : ndarray of shape (n,)
        Events in order; the rows of a window stand together and know of no other window.

    Source: SCENARIOS.md, S3.
    """
    last = np.full(np.int64(account.max()) + 1, -1, np.int64)
    failures = np.zeros(np.int64(account.max()) + 1, np.int64)
    found = np.zeros(account.size, np.bool_)
    for i in range(account.size):
        a = account[i]
        if last[a] != window[i]:
            last[a] = window[i]
            failures[a] = 0
        if failed[i]:
            failures[a] += 1
        elif succeeded[i]:
            found[i] = failures[a] >= FAILURES
            failures[a] = 0
    return found
