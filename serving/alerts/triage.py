"""What people said of earlier alerts, heard by the next ones: who is likely to be real.

Triage learns from the audit chain: every verdict is on record there with what was known of the
alert when it was given. What is kept beside it is only how far it has read. Where that is lost,
the chain is read again from the beginning, to the same triage.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sqlalchemy as sa

from models.detector import StateError
from models.triage import Triage
from pipeline.database import upsert
from serving.alerts.lifecycle import OPEN
from serving.alerts.record import Row
from serving.severity import Severity
from serving.store.tables import alerts, audit, memory

__all__ = ["SAID", "evidence_of", "learn", "rank", "triage_of"]

SAID = "alert.verdict"
"""What the audit chain calls a verdict."""

PART, KEY = "triage", "model"
READ = ("id", "view", "family", "entity", "severity", "risk", "per_day", "arms", "priority")
SMALLEST = 1e-12


def evidence_of(alert: Row | sa.RowMapping) -> dict[str, float | str]:
    """What triage is told of an alert."""
    arms: dict[str, float] = alert["arms"]
    per_day = alert["per_day"]
    return {
        "view": alert["view"],
        "family": alert["family"],
        "entity": alert["entity"],
        "arm": max(sorted(arms), key=lambda arm: arms[arm], default="none"),
        "severity": float(Severity(alert["severity"]).rank),
        "risk": float(alert["risk"]),
        "rarity": 0.0 if per_day is None else -math.log10(max(per_day, SMALLEST)),
    }


def triage_of(connection: sa.Connection) -> Triage:
    """What was learned so far."""
    return _kept(connection)[0]


def learn(connection: sa.Connection) -> None:
    """Learn the verdicts of the audit chain that are not learned yet, in their order.

    The caller holds the chain's head, as who has just recorded a verdict does.
    """
    triage, number = _kept(connection)
    said = sa.select(audit.c.number, audit.c.detail).where(
        audit.c.what == SAID, audit.c.number > number
    )
    for row in connection.execute(said.order_by(audit.c.number)):
        triage.learn(row.detail["evidence"], row.detail["verdict"])
        number = row.number
    state = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in triage.state().items()
    }
    kept = {"number": number, "version": triage.version, "triage": state}
    upsert(connection, memory, [{"part": PART, "key": KEY, "state": kept}])


def rank(connection: sa.Connection) -> None:
    """Write into each open alert how likely it is to be real; nothing while triage abstains."""
    triage = triage_of(connection)
    if not triage.speaks:
        return
    in_order = sa.select(*(alerts.c[name] for name in READ)).order_by(
        alerts.c.opened_at, alerts.c.id
    )
    wanted = in_order.where(alerts.c.state.in_(OPEN)).with_for_update()
    moved = []
    for row in connection.execute(wanted).mappings():
        chance = triage.opinion(evidence_of(row)).real
        if chance != row["priority"]:
            moved.append({"alert": row["id"], "chance": chance})
    if moved:
        named = alerts.update().where(alerts.c.id == sa.bindparam("alert"))
        connection.execute(named.values(priority=sa.bindparam("chance")), moved)


def _kept(connection: sa.Connection) -> tuple[Triage, int]:
    """What was learned, and up to which entry of the chain."""
    wanted = sa.select(memory.c.state).where(memory.c.part == PART, memory.c.key == KEY)
    kept: dict[str, Any] = connection.execute(wanted).scalar_one_or_none() or {}
    if kept.get("version") != Triage.version:
        return Triage(), 0
    arrays = {"moments": (-1, 3), "real/weights": -1, "ours/weights": -1}
    try:
        state = kept["triage"] | {
            name: np.array(kept["triage"][name], np.float64).reshape(shape)
            for name, shape in arrays.items()
        }
        return Triage.from_state(state), int(kept["number"])
    except (KeyError, StateError, TypeError, ValueError):
        return Triage(), 0
