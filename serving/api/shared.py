"""What every router is given: the house, its store, and the time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Request

__all__ = ["At", "House", "Store"]


async def _house(request: Request) -> Any:
    return request.app.state.house


async def _store(request: Request) -> sa.Engine:
    store: sa.Engine = request.app.state.house.engine
    return store


async def _now(request: Request) -> datetime:
    now: datetime = request.app.state.house.clock()
    return now


House = Annotated[Any, Depends(_house)]
Store = Annotated[sa.Engine, Depends(_store)]
At = Annotated[datetime, Depends(_now)]
