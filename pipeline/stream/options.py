"""How the loop runs: what is not said in the configuration has the defaults here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """How the loop runs.

    Parameters
    ----------
    idle_timeout, future_tolerance : timedelta
        As in `features.windows.Windower`.
    explain_below : float
        Windows that normal life brings less often, 1/day, are explained in full.
    ask_models_every : timedelta
        How often a new champion is looked for.
    snapshot_every : timedelta
        How much event time lies between snapshots of a scorer.
    rest : timedelta
        How long the loop waits where no source has anything.
    seed : int
        Of scorers that begin cold.
    """

    idle_timeout: timedelta = timedelta(seconds=30)
    future_tolerance: timedelta = timedelta(seconds=10)
    explain_below: float = 24.0
    ask_models_every: timedelta = timedelta(minutes=1)
    snapshot_every: timedelta = timedelta(days=1)
    rest: timedelta = timedelta(seconds=1)
    seed: int = 0
