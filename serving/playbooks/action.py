"""An action: planned, prepared, performed once, verified against the world, not the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

import sqlalchemy as sa

__all__ = [
    "Action",
    "ActionError",
    "CheckError",
    "Context",
    "Effect",
    "Outcome",
    "ParameterError",
    "StaleIntentError",
    "retold",
]

Effect = Literal["observe", "tell", "contain", "restore", "move_funds", "delete"]
"""What an action changes: nothing, people's knowledge, it stops something, it lets go again, it
moves money, it removes data. Policy is about effects (`serving.playbooks.policy`)."""


class ActionError(Exception):
    """It did not work now and may be tried again."""


class CheckError(Exception):
    """What was looked at is not so, and waiting does not make it so."""


class StaleIntentError(ActionError):
    """The intent had no effect and never can have one: another is prepared in its place."""


class ParameterError(ValueError):
    """A parameter is missing or makes no sense; trying again is no use."""


@dataclass(frozen=True)
class Context:
    """What an action may use.

    Parameters
    ----------
    run, step, incident : str
        Ids; ``key`` names the one effect that this step may have.
    engine : sqlalchemy.Engine
        The store; what an action reads there it reads in its own transaction.
    now : datetime
        Aware UTC.
    services : mapping
        Connections by name (chain, platform, lake, ...), as the configuration has them.
    topic : str
        The same for this step of every run of the incident; empty where people approved it.
    """

    run: str
    step: str
    incident: str
    engine: sa.Engine
    now: datetime
    services: Mapping[str, Any] = field(default_factory=dict)
    topic: str = ""

    @property
    def key(self) -> str:
        """Idempotency key of the one effect that this step may have."""
        return f"{self.run}:{self.step}"


@dataclass(frozen=True)
class Outcome:
    """What an action did, for the record and for the steps after it.

    Parameters
    ----------
    done : str
        One sentence for people.
    facts : dict
        JSON-able; later steps may use them as ``{step.fact}``.
    """

    done: str
    facts: dict[str, Any] = field(default_factory=dict)


class Action(Protocol):
    """One action, one file.

    The runner calls ``prepare``, stores what it gives, then calls ``perform`` with it. A process
    that dies in between leaves the intent, and ``perform`` is called again with the same: it must
    have its effect once, however often it is called.
    """

    @property
    def name(self) -> str:
        """As playbooks call it."""

    @property
    def about(self) -> str:
        """What it is for."""

    @property
    def effect(self) -> Effect:
        """What it changes: policy is about this."""

    def plan(self, context: Context, parameters: Mapping[str, Any]) -> str:
        """What it would do, in one sentence, changing nothing. Raises ParameterError."""

    def prepare(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The intent, JSON-able, such as a signed transaction; nothing has happened yet."""

    def perform(self, context: Context, intent: Mapping[str, Any]) -> Outcome:
        """Do it, once. Raises ActionError to be called again."""

    def verify(self, context: Context, intent: Mapping[str, Any]) -> bool:
        """Whether its effect is there now, asked of the world and not of the record."""


def retold(action: Action, context: Context, intent: Mapping[str, Any]) -> Outcome:
    """What an action did whose effect is there already, such as before its process died.

    It is performed again, which changes nothing, so that its facts are told.
    """
    try:
        outcome = action.perform(context, intent)
    except (ActionError, ParameterError):
        return Outcome("it was done already", {"found": True})
    return Outcome(outcome.done, {**outcome.facts, "found": True})
