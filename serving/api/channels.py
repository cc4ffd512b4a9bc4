"""Channels: which there are, and whether a message arrives."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from serving.api.problems import ProblemError
from serving.api.shared import At, House, Store
from serving.auth import Admin, Viewer
from serving.notify.canary import canary

__all__ = ["router"]

router = APIRouter(prefix="/v1/channels", tags=["notification"])


class ChannelOut(BaseModel):
    """One way to tell people."""

    name: str
    actions: list[str]


class Tried(BaseModel):
    """What became of a test message."""

    outcome: Literal["sent", "retry", "refused"]
    detail: str


@router.get("")
async def list_channels(house: House, who: Viewer) -> list[ChannelOut]:
    """Every channel that is configured; a route's channel that is not here is dead."""
    found = house.outbox.channels.values()
    return [ChannelOut(name=one.name, actions=sorted(one.actions)) for one in found]


@router.post("/{channel}/test")
def test_channel(channel: str, house: House, store: Store, who: Admin, now: At) -> Tried:
    """Send a message that says it is a test."""
    found = house.outbox.channels.get(channel)
    if found is None:
        known = ", ".join(house.outbox.channels)
        raise ProblemError(404, "Not found", f"no channel {channel}; there are {known}")
    delivery = canary(store, found, who=who.name, now=now)
    return Tried(outcome=delivery.outcome, detail=delivery.detail)
