"""What every router is given: the house, its store, and the time."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator

__all__ = ["At", "House", "Store", "Time", "schema_of"]


async def _house(request: Request) -> Any:
    return request.app.state.house


async def _store(request: Request) -> sa.Engine:
    store: sa.Engine = request.app.state.house.engine
    return store


async def _now(request: Request) -> datetime:
    now: datetime = request.app.state.house.clock()
    return now


def _written(given: object) -> object:
    # pydantic would take a number, of seconds or of milliseconds by its size.
    if isinstance(given, int | float) or (isinstance(given, str) and _NUMBER.fullmatch(given)):
        raise ValueError("a time is written as in ISO 8601, with its zone")
    return given


_NUMBER = re.compile(r"\s*[+-]?[\d_.]+(e[+-]?\d+)?\s*", re.IGNORECASE)
Time = Annotated[AwareDatetime, BeforeValidator(_written)]
House = Annotated[Any, Depends(_house)]
Store = Annotated[sa.Engine, Depends(_store)]
At = Annotated[datetime, Depends(_now)]


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a body that is parsed by hand, with nothing to be looked up elsewhere."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def whole(given: Any) -> Any:
        if isinstance(given, dict):
            if "$ref" in given:
                return whole(parts[given["$ref"].rpartition("/")[2]])
            return {name: whole(inner) for name, inner in given.items()}
        return [whole(inner) for inner in given] if isinstance(given, list) else given

    resolved: dict[str, Any] = whole(schema)
    return resolved
