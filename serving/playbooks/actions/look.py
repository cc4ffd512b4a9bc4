"""Actions that only look: what they find are facts for people and for the steps after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.playbooks.action import Context, Effect, Outcome

__all__ = ["Look"]


@dataclass(frozen=True)
class Look:
    """Reads parameters, then looks.

    Parameters
    ----------
    read : callable
        Parameters judged, as JSON-able values. Raises ParameterError.
    words : callable
        From these: what it would do, in one sentence.
    look : callable
        From these: what it finds. Raises ActionError to be asked again.
    there : callable
        Whether what it wrote is there; what writes nothing always is.
    """

    name: str
    about: str
    read: Callable[[Context, Mapping[str, Any]], dict[str, Any]]
    words: Callable[[Mapping[str, Any]], str]
    look: Callable[[Context, Mapping[str, Any]], Outcome]
    there: Callable[[Context, Mapping[str, Any]], bool] | None = None
    effect: Effect = "observe"

    def plan(self, context: Context, parameters: Mapping[str, Any]) -> str:
        """What it would do, in one sentence."""
        return self.words(self.read(context, parameters))

    def prepare(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters, judged."""
        return self.read(context, parameters)

    def perform(self, context: Context, intent: Mapping[str, Any]) -> Outcome:
        """Look."""
        return self.look(context, intent)

    def verify(self, context: Context, intent: Mapping[str, Any]) -> bool:
        """Whether what it wrote is there; what wrote nothing is looked at again."""
        return self.there is not None and self.there(context, intent)
