"""Scores for requests: small ones that come at the same moment are judged as one matrix."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray

from features.stream import TIME
from models.detector import MatrixError
from pipeline.scoring.reasons import Explanation
from serving.api.matrices import Given, wrong
from serving.api.scorers import Served

__all__ = ["EXPLAINED_PER_DAY", "Judge", "Judged"]

EXPLAINED_PER_DAY = 24.0
"""As in the stream: what normal life brings less often is given its reasons."""

# The event loop is not held up for longer than a few milliseconds.
AT_ONCE = 256


@dataclass(frozen=True)
class Judged:
    """What is said of n windows; every array has shape (n,).

    Parameters
    ----------
    p, per_day : ndarray
        Tail probability, and how often normal life brings as much, 1/day; NaN without a model.
    warm : bool
        Whether enough is known to call anything rare.
    reasons : list of list of str
    explained : list of Explanation
        Where that was asked for, of the windows in order; else empty.
    """

    p: NDArray[np.float64]
    per_day: NDArray[np.float64]
    warm: bool
    reasons: list[list[str]]
    explained: list[Explanation]


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
                part = Judged(
                    whole.p[at:end],
                    whole.per_day[at:end],
                    whole.warm,
                    whole.reasons[at:end],
                    [],
                )
                future.set_result(part)
            at = end


def judge(served: Served, given: Given, explain: bool) -> Judged:
    """What is said of windows; see `Judge`.

    Raises
    ------
    ProblemError
        422 where a number is beyond what the model can look at.
    """
    scorer, count = served.scorer, len(given.entity)
    if scorer is None:
        unknown = np.full(count, np.nan)
        return Judged(np.ones(count), unknown, False, [[] for _ in range(count)], [])
    try:
        evidence, p = scorer.peek(given.entity, given.start, given.values)
    except MatrixError as error:
        raise wrong("windows", str(error), "numbers nearer to what is usual") from error
    warm = scorer.warm
    if not warm:
        per_day = np.full(count, np.nan)
        return Judged(p, per_day, False, [[] for _ in range(count)], [])
    per_day = p * evidence.daily
    rare = per_day < EXPLAINED_PER_DAY
    reasons: list[list[str]] = [[] for _ in range(count)]
    if rare.any():
        reasons = evidence.reasons(rare).to_list()
    explained = []
    if explain:
        explained = evidence.explain(_frame(served, given), np.arange(count), EXPLAINED_PER_DAY)
    return Judged(p, per_day, True, reasons, explained)


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
