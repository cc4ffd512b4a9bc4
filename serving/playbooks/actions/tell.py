"""Words for people: put into the outbox once, under the step's key; channels do the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from serving.notify.notice import TOLD_ALREADY, Notice, enqueue
from serving.playbooks.action import Context, Effect, Outcome
from serving.playbooks.actions.parameters import choice, listed, text
from serving.store.tables import incidents, outbox

__all__ = ["ACTIONS", "Tell"]

CUSTOMERS = "users"
STATUSES = ("investigating", "identified", "monitoring", "resolved")

Message = tuple[list[str], str, str, dict[str, Any]]
"""Channels, subject, text, and particulars for the channel."""


@dataclass(frozen=True)
class Tell:
    """Puts one message for each channel into the outbox.

    What goes by itself to staff is sent once for all runs of an incident; what people approved, and
    what customers are told of their own account, for each.

    Parameters
    ----------
    message : callable
        From the parameters. Raises ParameterError.
    """

    name: str
    about: str
    message: Callable[[Mapping[str, Any]], Message]
    effect: Effect = "tell"

    def plan(self, context: Context, parameters: Mapping[str, Any]) -> str:
        """What it would say, and where."""
        channels, subject, _, detail = self.message(parameters)
        whom = f" to {detail['audience']}" if "audience" in detail else ""
        return f"tell{whom} by {', '.join(channels)}: {subject}"

    def prepare(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The message."""
        channels, subject, words, detail = self.message(parameters)
        return {"channels": channels, "subject": subject, "text": words, "detail": detail}

    def perform(self, context: Context, intent: Mapping[str, Any]) -> Outcome:
        """Put it into the outbox; a message that is there stays as it is."""
        with context.engine.begin() as connection:
            wanted = sa.select(incidents.c.severity, incidents.c.opened_at).where(
                incidents.c.id == context.incident
            )
            found = connection.execute(wanted).one_or_none()
            notices = [
                Notice(
                    dedup_key=_key(context, channel),
                    channel=channel,
                    action="notice",
                    incident=context.incident,
                    severity=found.severity if found else "high",
                    title=intent["subject"],
                    why=intent["text"],
                    since=found.opened_at if found else context.now,
                    due_at=context.now,
                    topic="" if intent["detail"].get("audience") == CUSTOMERS else context.topic,
                    detail={**intent["detail"], "run": context.run, "step": context.step},
                )
                for channel in intent["channels"]
            ]
            enqueue(connection, notices, now=context.now)
            keys = [notice.dedup_key for notice in notices]
            kept = sa.select(outbox.c.error).where(outbox.c.dedup_key.in_(keys))
            errors = set(connection.execute(kept).scalars())
        words = f"{intent['subject']!r} is on its way by {', '.join(intent['channels'])}"
        if errors == {TOLD_ALREADY}:
            words = f"{intent['subject']!r}: {TOLD_ALREADY}"
        return Outcome(words, {"channels": intent["channels"], "subject": intent["subject"]})

    def verify(self, context: Context, intent: Mapping[str, Any]) -> bool:
        """Whether the outbox has it for every channel; that it is delivered is its law."""
        keys = [_key(context, channel) for channel in intent["channels"]]
        wanted = sa.select(sa.func.count()).where(outbox.c.dedup_key.in_(keys))
        with context.engine.connect() as connection:
            return connection.execute(wanted).scalar_one() == len(keys)


def _key(context: Context, channel: str) -> str:
    return f"{context.key}:{channel}"


def _notice(parameters: Mapping[str, Any]) -> Message:
    channels = list(dict.fromkeys(listed(parameters, "channels", ["chat"])))
    detail = {"audience": text(parameters, "audience")}
    return channels, text(parameters, "subject"), text(parameters, "text"), detail


def _ticket(parameters: Mapping[str, Any]) -> Message:
    channel = text(parameters, "channel", "ticket")
    return [channel], text(parameters, "summary"), text(parameters, "text"), {}


def _status(parameters: Mapping[str, Any]) -> Message:
    status = choice(parameters, "status", STATUSES)
    channel = text(parameters, "channel", "status_page")
    return [channel], f"Status: {status}", text(parameters, "text"), {"status": status}


ACTIONS = [
    Tell("tell.audience", "tells an audience something", _notice),
    Tell("ticket.open", "opens a ticket", _ticket),
    Tell("status_page.update", "says on the status page how it stands", _status),
]
