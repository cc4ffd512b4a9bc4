"""What a channel is: one way to tell people, with one verb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from serving.notify.notice import Action, Notice

__all__ = ["Channel", "Delivery"]


@dataclass(frozen=True)
class Delivery:
    """What became of one attempt.

    Parameters
    ----------
    outcome : {"sent", "retry", "refused"}
        ``retry`` for what may pass later, such as a timeout, 429 or 5xx; ``refused`` for what
        never will, such as a 400 or a wrong key.
    detail : str
        For people, without secrets.
    retry_after : float or None
        Seconds the other side asks to wait.
    """

    outcome: Literal["sent", "retry", "refused"]
    detail: str = ""
    retry_after: float | None = None


class Channel(Protocol):
    """One way to tell people. ``send`` may be called again with the same notice."""

    @property
    def name(self) -> str:
        """As routes name it."""

    @property
    def actions(self) -> frozenset[Action]:
        """What it can tell; other notices are not given to it."""

    def send(self, notice: Notice) -> Delivery:
        """Try once, within a few seconds; never raises for what the other side does."""
