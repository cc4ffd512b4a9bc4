"""Scores for requests: small ones that come at the same moment are judged as one matrix."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import polars as pl
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray

from features.stream import TIME
from models.detector import MatrixError
from pipeline.scoring.reasons import Explanation
from serving.api.limits import crossings
from serving.api.matrices import Given, wrong
from serving.api.scorers import Served

__all__ = ["EXPLAINED_PER_DAY", "Judge", "Judged"]

EXPLAINED_PER_DAY = 24.0
"""As in the stream: what normal life brings less often is given its reasons."""

# The event loop is not held up for longer than a few milliseconds.
AT_ONCE = 256

# Beyond so many windows the matrices would be memory that the system hands out and takes back
# with every request, which costs more than a second round.
BLOCK = 5_000


@dataclass(frozen=True)
class Judged:
    """What is said of n windows.

    Parameters
    ----------
    p, per_day : ndarray of shape (n,)
        Tail probability, and how often normal life brings as much, 1/day; NaN without a model.
    warm : bool
        Whether enough is known to call anything rare.
    crossed : ndarray of shape (n, k ladders), int8
        From `serving.api.limits.crossings`.
    reasons : dict of int to list of str
        Why, by row, of those that normal life brings less than `EXPLAINED_PER_DAY` times a day.
    explained : list of Explanation
        Where that was asked for, of the windows in order; else empty.
    """

    p: NDArray[np.float64]
    per_day: NDArray[np.float64]
    warm: bool
    crossed: NDArray[np.int8]
    reasons: dict[int, list[str]] = field(default_factory=dict)
    explained: list[Explanation] = field(default_factory=list)

    def part(self, begin: int, end: int) -> Judged:
        """What is said of some windows in a row, without explanations."""
        found = {row - begin: why for row, why in self.reasons.items() if begin <= row < end}
        rows = slice(begin, end)
        return Judged(self.p[rows], self.per_day[rows], self.warm, self.crossed[rows], found)


class Judge:
    """Judges windows with whatever scores their view now.

    A window's score does not depend on the others in its matrix, so requests may share one: what
    came while the last matrix was judged is judged together.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, list[tuple[Given, asyncio.Future[Judged]]]] = defaultdict(list)

    async def __call__(self, served: Served, given: Given, *, explain: bool) -> Judged:
        """What is said of windows."""
        if explain or len(given.entity) > AT_ONCE:
            return await run_in_threadpool(judge, served, given, explain)
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[Judged] = loop.create_future()
        waiting = self._waiting[id(served)]
        waiting.append((given, mine))
        if len(waiting) == 1:
            loop.call_soon(self._drain, served)
        return await mine

    def _drain(self, served: Served) -> None:
        waiting = self._waiting.pop(id(served))
        try:
            whole = judge(served, _joined([given for given, _ in waiting]), False)
        except Exception:
            # Who brought what cannot be judged is told so; the others are judged.
            for given, future in waiting:
                _settle(future, served, given)
            return
        at = 0
        for given, future in waiting:
            end = at + len(given.entity)
            if not future.done():
                future.set_result(whole.part(at, end))
            at = end


def judge(served: Served, given: Given, explain: bool) -> Judged:
    """What is said of windows; see `Judge`.

    Raises
    ------
    ProblemError
        422 where a number is beyond what the model can look at.
    """
    blocks = range(0, max(len(given.entity), 1), BLOCK)
    parts = [_judged(served, given.part(at, at + BLOCK), explain, at) for at in blocks]
    if len(parts) == 1:
        return parts[0]
    reasons: dict[int, list[str]] = {}
    for at, part in zip(blocks, parts, strict=True):
        reasons |= {at + row: why for row, why in part.reasons.items()}
    return Judged(
        np.concatenate([part.p for part in parts]),
        np.concatenate([part.per_day for part in parts]),
        parts[0].warm,
        np.concatenate([part.crossed for part in parts]),
        reasons,
        [one for part in parts for one in part.explained],
    )


def _judged(served: Served, given: Given, explain: bool, first: int) -> Judged:
    scorer, count = served.scorer, len(given.entity)
    crossed, unknown = crossings(served.view, served.ladders, given), np.full(count, np.nan)
    if scorer is None:
        return Judged(np.ones(count), unknown, False, crossed)
    try:
        evidence, p = scorer.peek(given.entity, given.start, given.values)
    except MatrixError as error:
        where = f"windows from {first} on" if first else "windows"
        raise wrong(where, str(error), "numbers nearer to what is usual") from error
    if not scorer.warm:
        return Judged(p, unknown, False, crossed)
    per_day = p * evidence.daily
    rare, reasons = per_day < EXPLAINED_PER_DAY, {}
    if rare.any():
        told = evidence.reasons(rare).filter(rare).to_list()
        reasons = dict(zip(np.flatnonzero(rare).tolist(), told, strict=True))
    explained = []
    if explain:
        explained = evidence.explain(_frame(served, given), np.arange(count), EXPLAINED_PER_DAY)
    return Judged(p, per_day, True, crossed, reasons, explained)


def _settle(future: asyncio.Future[Judged], served: Served, given: Given) -> None:
    if future.done():
        return
    try:
        future.set_result(judge(served, given, False))
    except Exception as error:
        future.set_exception(error)


def _joined(parts: Sequence[Given]) -> Given:
    if len(parts) == 1:
        return parts[0]
    return Given(
        [name for part in parts for name in part.entity],
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.values for part in parts]),
    )


def _frame(served: Served, given: Given) -> pl.DataFrame:
    start = pl.Series("start", given.start).cast(TIME)
    every: timedelta = served.view.every
    return pl.DataFrame({"entity": given.entity, "start": start}).with_columns(
        (pl.col("start") + every).alias("end")
    )
