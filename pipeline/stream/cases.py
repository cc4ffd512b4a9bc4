"""What is known of incidents, handed to the guards of scorers: held back, then learned or not.

A case takes effect at the end of a step, after its windows were scored: the scorer that is kept
before the next step knows all that decides the scores of that step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pipeline.database import reading
from pipeline.scoring.scorer import EPOCH, MICROSECOND, Scorer

if TYPE_CHECKING:
    from pipeline.stream.checkpoint import Checkpoint, Connection

__all__ = ["Case", "Held", "Knowing", "heard", "teach"]

Held = Mapping[str, Mapping[str, int]]
"""By view and entity: since when its windows are held back, microseconds since 1970."""


@dataclass(frozen=True)
class Case:
    """What changed about an entity.

    Parameters
    ----------
    entity : str
    since : int or None
        An incident that began then, microseconds since 1970, is open; None where it is over.
    real : bool or None
        Of one that is over: whether it was real; None where nobody said.
    """

    entity: str
    since: int | None = None
    real: bool | None = None


@runtime_checkable
class Knowing(Protocol):
    """A sink that knows of incidents."""

    def cases(self, connection: Connection, held: Held, *, now: datetime) -> dict[str, list[Case]]:
        """What to hold back now, and what of that which is held is over, by view."""


def heard(
    sink: object, checkpoint: Checkpoint, scorers: Mapping[str, Scorer | None], now: datetime
) -> dict[str, list[Case]]:
    """What a sink knows that the scorers of views have not heard of yet.

    One that is cold is told nothing: were all it sees held back, it would never know any normal.
    """
    if not isinstance(sink, Knowing):
        return {}
    warm = {name: each for name, each in scorers.items() if each is not None and each.warm}
    held = {name: each.guard.incidents for name, each in warm.items()}
    with reading(checkpoint.engine) as connection:
        return sink.cases(connection, held, now=now)


def teach(scorer: Scorer, cases: Iterable[Case]) -> None:
    """Let a scorer hold back, learn or throw away what cases tell of."""
    for case in cases:
        if case.since is not None:
            scorer.hold(case.entity, EPOCH + case.since * MICROSECOND)
        # A model that was taken up since has held nothing.
        elif case.entity in scorer.guard.incidents:
            scorer.judge(case.entity, real=case.real)
