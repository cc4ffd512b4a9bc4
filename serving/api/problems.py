"""Errors as RFC 9457 problem details: what, which, value, expected; no trace and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from serving.alerts.lifecycle import AlertError
from serving.playbooks.people import RunError
from serving.store.keys import UnknownKeyError
from serving.store.users import UserError

__all__ = ["PROBLEM", "ProblemError", "install"]

PROBLEM = "application/problem+json"
LONGEST = 300


class ProblemError(Exception):
    """An answer that is an error.

    Parameters
    ----------
    status : int
        4xx, or 503.
    title : str
        The kind of error, the same for all of its kind.
    detail : str
        What, which, value, and what was expected.
    more : mapping
        Further members, such as ``field``.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail
        self.headers, self.more = dict(headers or {}), more

    def response(self) -> JSONResponse:
        """The problem as an answer."""
        body = {"type": "about:blank", "title": self.title, "status": self.status}
        body |= {"detail": self.detail[:LONGEST], **self.more}
        return JSONResponse(body, self.status, media_type=PROBLEM, headers=self.headers)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""

    async def problem(_request: Request, error: ProblemError) -> JSONResponse:
        return error.response()

    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        detail = str(error.detail)
        return ProblemError(error.status_code, detail, detail, headers=error.headers).response()

    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        said = f"{where}: {first['msg']}"
        return ProblemError(422, "Invalid request", said, field=where).response()

    async def conflict(_request: Request, error: Exception) -> JSONResponse:
        missing = str(error).startswith("no ") or " has no step " in str(error)
        status, title = (404, "Not found") if missing else (409, "Cannot be done")
        return ProblemError(status, title, str(error)).response()

    async def broken(_request: Request, error: Exception) -> JSONResponse:
        return ProblemError(
            500, "Internal error", f"{type(error).__name__}; see the log"
        ).response()

    handlers: dict[Any, Any] = {
        ProblemError: problem,
        HTTPException: http,
        RequestValidationError: invalid,
        AlertError: conflict,
        RunError: conflict,
        UnknownKeyError: conflict,
        UserError: conflict,
        Exception: broken,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
