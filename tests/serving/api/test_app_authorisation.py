"""Who may do what: every route of the application, every role, every way to be nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from serving.store.keys import Role
from tests.serving.api.calling import Caller

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/v1/session"),
    ("GET", "/v1/approvals/{token}"),
    ("POST", "/v1/approvals/{token}"),
}
"""What needs no key: whether it lives, the door itself, and what a signed link is the key to."""


def routes(given: Any) -> Iterator[BaseRoute]:
    """Every route, those of included routers too."""
    for route in given.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None:
            yield from routes(inner)
        else:
            yield route


def needed(dependant: Dependant) -> Role | None:
    """The role that a route asks for; None for none."""
    found = [getattr(dependant.call, "role", None), *map(needed, dependant.dependencies)]
    return max((one for one in found if one), key=list(Role).index, default=None)


def matrix(app: FastAPI) -> Iterator[tuple[str, str, Role | None]]:
    """Method, path and role of every route of the interface."""
    for route in routes(app):
        if isinstance(route, APIRoute):
            for method in sorted(route.methods):
                yield method, route.path, needed(route.dependant)


def test_every_route_is_in_the_description_and_asks_for_a_role(shared_call: Caller) -> None:
    found = {(m, path.replace(":path", "")): role for m, path, role in matrix(shared_call.app)}
    described = {
        (method.upper(), path)
        for path, methods in shared_call.app.openapi()["paths"].items()
        for method in methods
    }
    assert described <= set(found)
    assert {key for key in described if found[key] is None} == OPEN
    # What is not described is a page: it reads nothing but its own files.
    pages = set(found) - described
    assert all(method == "GET" and not path.startswith("/v1") for method, path in pages)


def test_each_route_lets_in_the_roles_it_names_and_nobody_else(shared_call: Caller) -> None:
    call, wrong = shared_call, []
    expired = call.key(Role.ADMIN, expires_at=call.now - timedelta(seconds=1))
    public = call.keys[Role.ADMIN].split("_")[1]
    nobodies: dict[str, dict[str, str]] = {
        "no key": {},
        "wrong key": {"Authorization": f"Bearer toc_{public}_wrong"},
        "made up": {"Authorization": "Bearer toc_1_2"},
        "expired": {"Authorization": f"Bearer {expired}"},
        "basic": {"Authorization": "Basic YWRtaW46YWRtaW4="},
        "foreign session": {"Cookie": "tocsin_session=of-another-house"},
    }
    asked = 0
    for method, path, role in matrix(call.app):
        target = path.replace(":path", "").replace("{stream}", "trades")
        target = target.replace("{what}", "pause").replace("{", "").replace("}", "")
        if role is None:
            continue
        for name, headers in nobodies.items():
            status = call(method, target, role=None, headers=headers).status_code
            wrong += [] if status == 401 else [f"{method} {path} {name}: {status}"]
            asked += 1
        for own in Role:
            status = call(method, target, role=own).status_code
            fine = status not in (401, 403) if own.may(role) else status == 403
            wrong += [] if fine and status < 500 else [f"{method} {path} {own}: {status}"]
            asked += 1
    assert not wrong, "\n".join(wrong)
    assert asked > 300


def test_a_session_changes_nothing_without_its_token(call: Caller) -> None:
    cookie, csrf = call.person("ann", Role.ADMIN)
    headers = {"Cookie": f"tocsin_session={cookie}"}
    given: dict[str, Any] = {"role": None, "json": {"matchers": [{"label": "a", "value": "b"}]}}
    path = "/v1/silences/preview"
    assert call("POST", path, headers=headers, **given).status_code == 403
    wrong = {**headers, "x-csrf-token": "wrong"}
    assert call("POST", path, headers=wrong, **given).status_code == 403
    right = {**headers, "x-csrf-token": csrf}
    assert call("POST", path, headers=right, **given).status_code == 200
    assert call("GET", "/v1/session", role=None, headers=headers).json()["name"] == "ann"


@pytest.mark.parametrize("many", [5])
def test_who_asks_too_often_is_told_when_to_come_back(call: Caller, many: int) -> None:
    key = call.key(Role.VIEWER, per_minute=1)
    headers = {"Authorization": f"Bearer {key}"}
    answers = [call("GET", "/v1/views", role=None, headers=headers) for _ in range(many)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:1]] == [200]
    assert len(refused) == many - 1
    assert int(refused[0].headers["retry-after"]) >= 1
