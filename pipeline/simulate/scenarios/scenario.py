"""What a scenario is: an attack and its benign twin, played on a platform, and their truth.

A scenario acts only through what anyone could do: instructions to the exchange, requests, faults
of feeds and machines. Nothing in the streams tells its events from others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from features.stream import TIME
from pipeline.simulate.flow import SECOND
from pipeline.simulate.platform import Platform
from pipeline.simulate.tape import times

__all__ = ["HOUR", "MINUTE", "TRUTH", "Scenario", "Script", "Stage"]

MINUTE, HOUR = 60 * SECOND, 3_600 * SECOND
TRUTH = {
    "scenario": pl.String(),
    "kind": pl.Enum(["attack", "decoy"]),
    "stage": pl.String(),
    "view": pl.String(),
    "entity": pl.String(),
    "start": TIME,
    "end": TIME,
}
"""Columns of the truth: which entity of which view did what, from when until when."""
Kind: TypeAlias = Literal["attack", "decoy"]


@dataclass(frozen=True)
class Stage:
    """One thing that an entity of a view does, from one time until another, microseconds."""

    stage: str
    view: str
    entity: str
    start: int
    end: int


Script: TypeAlias = Callable[[Platform, int, float, np.random.Generator], list[Stage]]
"""Puts what happens from a time on (microseconds) into a platform; gets a strength, about 1, and
random numbers; tells what is true."""


@dataclass(frozen=True)
class Scenario:
    """A scenario of SCENARIOS.md.

    Parameters
    ----------
    number : int
    title : str
    streams : tuple of str
        Where its traces are.
    attack, decoy : callable
        See `Script`. What they draw comes from the seed, the time and the kind.
    needs : str
        What a platform must be given to play it: ``"chain"`` or nothing.
    """

    number: int
    title: str
    streams: tuple[str, ...]
    attack: Script
    decoy: Script
    needs: Literal["", "chain"] = ""

    def play(
        self, platform: Platform, at: datetime, kind: Kind, *, strength: float | None = None
    ) -> pl.DataFrame:
        """Play it on a platform from a time on; what is true of it, columns `TRUTH`.

        Parameters
        ----------
        at : datetime
            Aware, not before what the platform has lived through.
        strength : float, optional
            How much of everything: 1 is usual; None draws from 0.5 to 2.

        Raises
        ------
        ValueError
            The platform has lived through that time already, or has no chain where one is needed.
        """
        if self.needs and platform.chain is None:
            raise ValueError(f"S{self.number} needs a platform with a chain; got none")
        begin = platform.microseconds(at)
        if begin < platform.horizon:
            raise ValueError(
                f"at = {at}; expected no earlier than {times(np.array([platform.horizon]))[0]}"
            )
        rng = platform.random(10, self.number, kind == "attack", begin // SECOND)
        drawn = float(np.exp(rng.uniform(np.log(0.5), np.log(2))))
        script = self.attack if kind == "attack" else self.decoy
        stages = script(platform, begin, drawn if strength is None else strength, rng)
        start, end = (
            times(np.array([getattr(s, name) for s in stages], np.int64))
            for name in ("start", "end")
        )
        return pl.DataFrame(
            {
                "scenario": pl.repeat(f"S{self.number}", len(stages), eager=True),
                "kind": pl.repeat(kind, len(stages), eager=True),
                "stage": [s.stage for s in stages],
                "view": [s.view for s in stages],
                "entity": [s.entity for s in stages],
                "start": start,
                "end": end,
            },
            schema_overrides=TRUTH,
        )
