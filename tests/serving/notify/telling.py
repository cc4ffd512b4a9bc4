"""Notices, channels and schemas that the tests of notification share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from jsonschema import Draft202012Validator, FormatChecker

from serving.notify.channels.base import Base
from serving.notify.channels.catalogue import make_channels
from serving.notify.notice import Notice

HERE = Path(__file__).parent
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAGES = "https://tocsin.example.com"
NOWHERE = sa.create_engine("sqlite://")


def notice(action: str = "trigger", **changed: Any) -> Notice:
    """An alarm as the alert engine writes it."""
    given: dict[str, Any] = {
        "dedup_key": "5e1f:high:chat:trigger",
        "channel": "chat",
        "action": action,
        "severity": "high",
        "title": "Memory: db-1",
        "why": "db-1 uses 88 % of its memory",
        "since": NOON - timedelta(minutes=3),
        "due_at": NOON,
        "incident": "5e1f0c",
        "alert": "a1e27",
        "first_step": "Find the process that grows and restart it.",
        "arms": ["rule:host.memory.high", "isolation_forest"],
        "rarity": "once in 40 days",
        "detail": {"entity": "db-1", "entities": ["db-1", "db-2"], "risk": 83},
    }
    return Notice(**(given | changed))


def channel(kind: str, engine: sa.Engine = NOWHERE, **options: Any) -> Base:
    """One channel of a kind, named as its kind."""
    given: Mapping[str, Any] = {kind: {"kind": kind, **options}}
    made = make_channels(given, engine, pages=PAGES, clock=lambda: NOON)
    return next(one for one in made if one.name == kind)


def check(name: str, payload: Any) -> None:
    """Hold a payload against a schema; raises with what is wrong."""
    schema = json.loads((HERE / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(payload)
