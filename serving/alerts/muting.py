"""Why nobody is told of an alert: silences, maintenance, inhibition. The alert itself stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict

from serving.alerts.matchers import Matcher, matches
from serving.store.tables import silences

__all__ = ["MAINTENANCE", "Inhibition", "Silence", "active_silences", "muted"]

MAINTENANCE = "maintenance"
"""A kind of silence: work that was announced. Playbooks wait while it lasts."""


class Inhibition(BaseModel):
    """A root cause mutes its symptoms: while a source fires, targets with equal labels are quiet.

    A critical alert is never muted by a milder one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: list[Matcher]
    target: list[Matcher]
    equal: list[str] = []


@dataclass(frozen=True)
class Silence:
    """A silence or a maintenance window that is in force."""

    id: str
    kind: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    comment: str

    def covers(self, seen: datetime, now: datetime) -> bool:
        """Whether it is in force for what a window that ended at ``seen`` shows.

        A maintenance is about what happens while it lasts, whenever that is heard of; a silence
        is about what is told while it lasts, whenever that happened.
        """
        if self.kind == MAINTENANCE:
            return self.starts_at < seen <= self.ends_at
        return self.starts_at <= now < self.ends_at


def active_silences(
    connection: sa.Connection, now: datetime, *, back: timedelta = timedelta(0)
) -> list[Silence]:
    """Silences in force at a time, or not longer before it than ``back``.

    An expired one is not in force, whoever forgot it.
    """
    rows = connection.execute(
        sa.select(silences).where(silences.c.starts_at <= now, silences.c.ends_at > now - back)
    )
    return [
        Silence(
            row.id,
            row.kind,
            tuple(Matcher.model_validate(given) for given in row.matchers),
            row.starts_at,
            row.ends_at,
            row.comment,
        )
        for row in rows
    ]


def muted(
    labels: Mapping[str, Any],
    *,
    silenced: Iterable[Silence],
    inhibitions: Iterable[Inhibition],
    firing: Sequence[Mapping[str, Any]],
) -> str:
    """Why an alert with these labels is not told, in words; empty when it is.

    Parameters
    ----------
    labels : mapping
        Of the alert, with ``severity`` and ``id``.
    firing : sequence of mapping
        Labels of all alerts that fire, with ``severity`` and ``id``.
    """
    for silence in silenced:
        if matches(silence.matchers, labels):
            until = silence.ends_at.strftime("%Y-%m-%d %H:%M UTC")
            return f"{silence.kind} {silence.id} until {until}: {silence.comment}"
    for inhibition in inhibitions:
        if not matches(inhibition.target, labels):
            continue
        for source in firing:
            if (
                source["id"] != labels["id"]
                and source["severity"] >= labels["severity"]
                and matches(inhibition.source, source)
                and not matches(inhibition.source, labels)
                and all(source.get(name) == labels.get(name) for name in inhibition.equal)
            ):
                return f"symptom of alert {source['id']}, which fires"
    return ""
