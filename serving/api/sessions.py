"""Sessions of people at the pages: sign in, who am I, sign out."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from pipeline.database import reading
from serving.api.problems import ProblemError
from serving.api.shared import At, Store
from serving.auth import COOKIE, Viewer
from serving.store.keys import Role
from serving.store.users import LIFE, check_session, end_session, sign_in

__all__ = ["router"]

router = APIRouter(prefix="/v1/session", tags=["sessions"])

TRIES, WITHIN_S = 10, 60.0
MOST_REMEMBERED = 10_000


class SignIn(BaseModel):
    """A name and its password."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=1_000)


class Who(BaseModel):
    """Who is signed in; ``csrf`` goes into the header `x-csrf-token` of each change."""

    name: str
    role: Role
    csrf: str


class _Tries:
    """Few attempts a minute for each address, and one at a time: each costs 128 MB and a core."""

    def __init__(self) -> None:
        self.one = asyncio.Lock()
        self._at: dict[str, list[float]] = {}

    def count(self, address: str) -> None:
        now = time.monotonic()
        if len(self._at) > MOST_REMEMBERED:
            self._at.clear()
        recent = [at for at in self._at.get(address, []) if now - at < WITHIN_S]
        if len(recent) >= TRIES:
            wait = {"Retry-After": str(int(WITHIN_S - (now - recent[0])) + 1)}
            said = f"more than {TRIES} attempts to sign in a minute"
            raise ProblemError(429, "Too many requests", said, headers=wait)
        self._at[address] = [*recent, now]


async def _tries(request: Request) -> _Tries:
    state = request.app.state
    if not hasattr(state, "tries"):
        state.tries = _Tries()
    tries: _Tries = state.tries
    return tries


@router.post("", responses={401: {"description": "The name or the password is wrong."}})
async def begin_session(
    given: SignIn,
    request: Request,
    response: Response,
    store: Store,
    now: At,
    tries: Annotated[_Tries, Depends(_tries)],
) -> Who:
    """Sign in; the session is a cookie that scripts cannot read and other sites cannot send."""
    tries.count(request.client.host if request.client else "")
    # Who waits for others waits in the loop: the threads are for those who read and write.
    async with tries.one:
        session = await run_in_threadpool(sign_in, store, given.name, given.password, now=now)
    if session is None:
        raise ProblemError(401, "Unauthorized", "the name or the password is wrong")
    response.set_cookie(
        COOKIE,
        session.token,
        max_age=int(LIFE.total_seconds()),
        secure=True,
        httponly=True,
        samesite="strict",
    )
    return Who(name=session.principal.name, role=session.principal.role, csrf=session.csrf)


@router.get("")
def show_session(request: Request, store: Store, who: Viewer, now: At) -> Who:
    """Who is signed in, by session or by key; a key needs no ``csrf``."""
    csrf = ""
    if who.session:
        with reading(store) as connection:
            found = check_session(connection, request.cookies[COOKIE], now=now)
        csrf = found[1] if found else ""
    return Who(name=who.name, role=who.role, csrf=csrf)


@router.delete("", status_code=204)
def finish_session(response: Response, store: Store, who: Viewer, now: At) -> None:
    """Sign out; a key has nothing to end."""
    if who.session:
        with store.begin() as connection:
            end_session(connection, who, now=now)
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
