"""Who asks and whether they may: keys and sessions, denied by default, limited by the minute."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from pipeline.database import reading
from serving.api.problems import ProblemError
from serving.store.keys import Principal, Role, check_key
from serving.store.users import check_session

__all__ = ["COOKIE", "CSRF", "Admin", "Gatekeeper", "Operator", "Responder", "Viewer", "allow"]

COOKIE = "tocsin_session"
CSRF = "x-csrf-token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
REMEMBER_S = 5.0
MOST_REMEMBERED = 10_000

_bearer = HTTPBearer(auto_error=False, description="An API key: toc_...")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The session of a page.")


class Gatekeeper:
    """Checks keys and sessions, and counts requests.

    A key that was right is remembered for five seconds, so that the hot path asks no database:
    a revoked key works that much longer.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    clock : callable
        Gives the time, aware UTC.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = engine, clock
        self._known: dict[str, tuple[float, Principal]] = {}
        self._tokens: dict[str, tuple[float, float]] = {}

    def key(self, given: str) -> Principal | None:
        """Whose key this is."""
        now = time.monotonic()
        known = self._known.get(given)
        if known is not None and now - known[0] < REMEMBER_S:
            return known[1]
        with reading(self._engine) as connection:
            principal = check_key(connection, given, now=self._clock())
        self._known.pop(given, None)
        if principal is not None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[given] = now, principal
        return principal

    def session(self, token: str, method: str, csrf: str) -> Principal | None:
        """Whose session this is; a change must carry its CSRF token."""
        with reading(self._engine) as connection:
            found = check_session(connection, token, now=self._clock())
        if found is None:
            return None
        principal, expected = found
        if method not in SAFE and not hmac.compare_digest(expected.encode(), csrf.encode()):
            raise ProblemError(403, "Forbidden", f"{CSRF} is missing or not that of this session")
        return principal

    def count(self, principal: Principal) -> None:
        """Take one from the principal's bucket of requests.

        Raises
        ------
        ProblemError
            429 when it is empty, with the seconds to wait.
        """
        now, rate = time.monotonic(), principal.per_minute / 60.0
        # Ten seconds' worth may come at once.
        most = max(rate * 10.0, 1.0)
        then, left = self._tokens.get(principal.name, (now, most))
        left = min(left + (now - then) * rate, most)
        if left < 1.0:
            wait = int((1.0 - left) / rate) + 1
            said = f"more than {principal.per_minute} requests a minute"
            raise ProblemError(429, "Too many requests", said, headers={"Retry-After": str(wait)})
        self._tokens[principal.name] = now, left - 1.0


def allow(role: Role) -> Callable[..., Any]:
    """A dependency that lets in whoever has at least this role, and gives who it is."""

    async def check(
        request: Request,
        bearer: Annotated[Any, Depends(_bearer)],
        cookie: Annotated[str | None, Depends(_cookie)],
    ) -> Principal:
        gatekeeper: Gatekeeper = request.app.state.house.gatekeeper
        principal = None
        if bearer is not None:
            principal = gatekeeper.key(bearer.credentials)
        elif cookie is not None:
            csrf = request.headers.get(CSRF, "")
            principal = gatekeeper.session(cookie, request.method, csrf)
        if principal is None:
            said = "expected an API key as a bearer token, or a session"
            raise ProblemError(401, "Unauthorized", said, headers={"WWW-Authenticate": "Bearer"})
        gatekeeper.count(principal)
        if not principal.role.may(role):
            raise ProblemError(403, "Forbidden", f"{principal.role} is not enough; expected {role}")
        return principal

    check.role = role  # type: ignore[attr-defined]  # the authorisation matrix reads it
    return check


Viewer = Annotated[Principal, Depends(allow(Role.VIEWER))]
Operator = Annotated[Principal, Depends(allow(Role.OPERATOR))]
Responder = Annotated[Principal, Depends(allow(Role.RESPONDER))]
Admin = Annotated[Principal, Depends(allow(Role.ADMIN))]
