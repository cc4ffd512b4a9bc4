"""Verdicts and breaches made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from serving.rules.breach import Breach
from serving.severity import Severity
from serving.verdict import Verdict, fingerprint

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def breach(**more: Any) -> Breach:
    """A breach of one minute of host a, with changes."""
    fields: dict[str, Any] = {
        "rule": "host.memory.high",
        "requirement": "PF-D4",
        "view": "system.host_1m",
        "entity": "a",
        "start": NOON,
        "end": NOON + timedelta(minutes=1),
        "since": NOON + timedelta(minutes=1),
        "feature": "memory_max",
        "operator": ">",
        "limit": 85.0,
        "unit": "%",
        "value": 90.0,
        "severity": Severity.HIGH,
        "family": "host.memory",
        "summary": "a uses 90 % of its memory",
        "labels": {"title": "Memory", "team": "platform"},
    }
    return Breach(**fields | more)


def verdict(**more: Any) -> Verdict:
    """A verdict on one minute of host a, with changes."""
    fields: dict[str, Any] = {
        "view": "system.host_1m",
        "entity": "a",
        "start": NOON,
        "end": NOON + timedelta(minutes=1),
        "family": "host.memory",
        "severity": Severity.HIGH,
        "pending": False,
        "exact": True,
        "risk": 0.0,
        "arms": {"rule:host.memory.high": 1.0},
        "breaches": (),
        "rarity": None,
        "title": "Memory: a",
        "why": "a uses 90 % of its memory",
        "first_step": "look",
        "playbook": "",
        **more,
    }
    names = {name: fields[name] for name in ("view", "entity", "family")}
    given = {"fingerprint": fingerprint(**names), "labels": {**names, "stream": "system"}}
    return Verdict(**given | fields)
