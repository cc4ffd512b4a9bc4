"""Who may do what by a session: every route, every role, and sessions that are none any more."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from fastapi.routing import APIRoute

from serving.store.keys import Role
from serving.store.tables import sessions, users
from tests.serving.api.calling import Caller
from tests.serving.api.test_app_authorisation import matrix, routes

SAFE = ("GET", "HEAD", "OPTIONS")


def begun(call: Caller, name: str, role: Role, life: timedelta, *, disabled: bool = False) -> str:
    """The cookie of a session of somebody, without the price of a password."""
    token = f"{name}-token"
    person = {"name": name, "password_hash": "", "role": role.value, "created_at": call.now}
    digest = hashlib.sha256(token.encode()).hexdigest()
    with call.house.engine.begin() as connection:
        gone = call.now if disabled else None
        connection.execute(users.insert().values(**person, disabled_at=gone))
        connection.execute(
            sessions.insert().values(
                token_hash=digest, user=name, csrf=f"{name}-csrf", expires_at=call.now + life
            )
        )
    return f"tocsin_session={token}"


def test_no_route_is_of_a_kind_that_the_matrix_does_not_walk(shared_call: Caller) -> None:
    others = {
        (type(route).__name__, getattr(route, "path", ""))
        for route in routes(shared_call.app)
        if not isinstance(route, APIRoute)
    }
    # The live channel asks for a role itself (`test_live`); the description is for everybody.
    assert others == {("APIWebSocketRoute", "/v1/live"), ("Route", "/v1/openapi.json")}


def test_a_session_may_what_its_role_may_and_changes_nothing_with_anothers_token(
    call: Caller,
) -> None:
    hour = timedelta(hours=1)
    cookies = {role: begun(call, role.value, role, hour) for role in Role}
    nobodies = {
        "expired": begun(call, "late", Role.ADMIN, timedelta(0)),
        "disabled": begun(call, "gone", Role.ADMIN, hour, disabled=True),
        "foreign": "tocsin_session=of-another-house",
    }
    wrong, asked = [], 0
    for method, path, needed in matrix(call.app):
        if needed is None or (method, path) == ("DELETE", "/v1/session"):
            continue
        target = path.replace(":path", "").replace("{stream}", "trades")
        target = target.replace("{what}", "pause").replace("{", "").replace("}", "")

        def status(cookie: str, csrf: str, method: str = method, target: str = target) -> int:
            headers = {"Cookie": cookie, "x-csrf-token": csrf}
            found: int = call(method, target, role=None, headers=headers).status_code
            return found

        for name, cookie in nobodies.items():
            got = status(cookie, "late-csrf")
            wrong += [] if got == 401 else [f"{method} {path} {name}: {got}"]
        for own, cookie in cookies.items():
            got = status(cookie, f"{own.value}-csrf")
            fine = got not in (401, 403) if own.may(needed) else got == 403
            wrong += [] if fine and got < 500 else [f"{method} {path} {own}: {got}"]
            asked += 1
        if method not in SAFE:
            got = status(cookies[Role.ADMIN], "viewer-csrf")
            wrong += [] if got == 403 else [f"{method} {path} with another's token: {got}"]
    assert not wrong, "\n".join(wrong)
    assert asked > 150
