"""The application: every router, the middleware around them, and whether it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from pipeline.database import reading
from serving import web
from serving.api import (
    alertmanager,
    alerts,
    catalogue,
    channels,
    events,
    incidents,
    live,
    metrics,
    panels,
    problems,
    rules,
    runs,
    score,
    sessions,
    silences,
    windows,
)
from serving.api.middleware import Around
from serving.api.shared import House

__all__ = ["make_app"]

ABOUT = """Scores of windows with reasons, events in, alerts, incidents, silences, playbook runs.

Send `Authorization: Bearer toc_...`, or the cookie of a session and for changes its CSRF token.
Errors are problem details (RFC 9457). Times are UTC."""
REFRESH_S = 5.0


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


_PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Why not",
        "content": {problems.PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}

operation = APIRouter(tags=["operation"])


@operation.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@operation.get("/readyz", responses={503: {"description": "Not yet, or not any more."}})
def readyz(house: House, response: Response) -> dict[str, str]:
    """Whether the store answers, the models were looked for, and the stream runs if it is ours."""
    faults = dict(house.faults())
    try:
        with reading(house.engine) as connection:
            connection.execute(sa.select(1))
    except sa.exc.SQLAlchemyError:
        faults["store"] = "does not answer"
    if not house.scorers.ready:
        faults["models"] = "not looked for yet"
    response.status_code = 503 if faults else 200
    return faults or {"status": "ready"}


ROUTERS = (
    score.router,
    events.router,
    alerts.router,
    incidents.router,
    silences.router,
    rules.router,
    catalogue.router,
    windows.router,
    panels.router,
    runs.router,
    runs.approvals,
    runs.playbooks,
    alertmanager.router,
    channels.router,
    sessions.router,
    metrics.router,
    operation,
    live.router,
    web.router,
)
"""The pages are the last: what is the interface's is not theirs."""


def make_app(house: Any) -> FastAPI:
    """The application over a house (`serving.house.House`)."""

    @contextlib.asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_refresh(house))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        gc.unfreeze()

    app = FastAPI(
        title="Tocsin",
        version="1",
        description=ABOUT,
        lifespan=life,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=_PROBLEM,
        redirect_slashes=False,
    )
    app.state.house = house
    for router in ROUTERS:
        app.include_router(router)
    problems.install(app)
    limits = house.settings.limits
    app.add_middleware(
        Around,
        meters=house.meters,
        body=limits.body_mb * 2**20,
        seconds=limits.seconds,
        hsts=house.settings.tls is not None,
        clock=house.clock,
    )
    _openapi(app)
    return app


def _openapi(app: FastAPI) -> None:
    """The schema of problems stands once, and every answer that is no success refers to it."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema()
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


async def _refresh(house: Any) -> None:
    """Look for new models, now and from time to time, beside the answers."""
    while True:
        try:
            await run_in_threadpool(house.scorers.refresh)
        except Exception as error:  # a registry that is away must not end the answers
            print(f"models: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        if not gc.get_freeze_count():
            # What is there by now stays. To look through all of it for garbage took 0.2 to 0.5 s,
            # each thousand requests or so, in which nobody was answered.
            gc.collect()
            gc.freeze()
        await asyncio.sleep(REFRESH_S)
