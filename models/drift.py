"""Whether the stream is still what the model was trained on, with a budget of false alarms.

Each column, a feature or a score, comes as one number a block, an hour say. Like slots of the
season are compared, what the block before foretells is taken off, and what is left is ranked
among all that came before. Ranks of an unchanged stream are uniform: bets on them pay nothing on
average, and an alarm is a fortune that no unchanged stream brings often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.detector import (
    Matrix,
    State,
    StateError,
    as_matrix,
    state_array,
    state_value,
)
from models.season import carried, deseasoned, known_mean

__all__ = ["DriftAlarm", "DriftMonitor"]

Bools: TypeAlias = NDArray[np.bool_]
Integers: TypeAlias = NDArray[np.int64]

# How far a bet leans to the high or the low ranks: the exponent of their odds.
BETS = np.array([-0.5, -0.25, -0.1, 0.1, 0.25, 0.5])
LEAST = 40
MOST = 2_000
# Of a column's spread: differences below the grain are ties, shifts below the least no drift.
GRAIN, LEAST_SHIFT = 1e-3, 0.5
# Of a drift's size: what is left of one that is over.
BACK = 0.25
# Of a column's mean: what rounding in sums can make of equal numbers.
ROUNDING = 1e-9


@dataclass(frozen=True)
class DriftAlarm:
    """One column is no longer what it was.

    Parameters
    ----------
    column : str
    since, told : int
        The blocks in which it began, as far as can be said, and in which it was known.
    size : float
        Mean of the column since, less the reference's at the same slots of the season.
    per_month : float
        At most so often would an unchanged stream bring as much evidence, over all columns.
    """

    column: str
    since: int
    told: int
    size: float
    per_month: float


class DriftMonitor:
    """Watches the columns of a stream against a reference.

    If the innovations of each column are exchangeable, the expected number of false alarms of all
    columns together in n blocks is at most ``budget * n / month``, whatever the dependence between
    the columns: an alarm is a Shiryaev-Roberts sum of e-values at or above
    ``watched columns * month / budget``, and the sum less the number of blocks is a martingale.
    Season and memory are estimated, so the guarantee is as good as they are (docs/detection.md).

    A shift of less than half the column's usual spread is no drift. An alarm ends when the last
    season was back within a quarter of its size.

    Parameters
    ----------
    columns : sequence of d str
    block : ndarray of shape (n,), int64
        Numbers of the reference's blocks, ascending; block modulo ``season`` is the slot.
    X : ndarray of shape (n, d), float64, finite
        One number a block and column, such as a mean or the logarithm of one.
    known : ndarray of shape (n, d), bool
        False where X says nothing.
    budget : float
        False alarms a month, above 0.
    season, month : int
        In blocks.

    ``watched`` says which columns have two seasons of reference; the others never alarm.
    ``raised`` counts the alarms of each column.

    Raises
    ------
    MatrixError
        X is refused by `as_matrix`.
    ValueError
        Shapes or order are wrong, or the budget is not above 0.

    Source: conformal ranks, Vovk, Testing randomness online, Statistical Science 36(4), 2021;
    e-detectors, Shin, Ramdas and Rinaldo, 2022 (arXiv 2203.03532); season, memory and bets ours.
    """

    version = 1

    def __init__(
        self,
        columns: Sequence[str],
        block: Integers,
        X: Matrix,
        known: Bools,
        *,
        budget: float = 1.0,
        season: int = 24,
        month: int = 720,
    ) -> None:
        if not budget > 0:
            raise ValueError(f"budget is {budget} false alarms a month, expected above 0")
        self.columns, self.budget = tuple(columns), float(budget)
        self.season, self.month = season, month
        values = self._values(block, X, known, after=None)
        self._profile, level = deseasoned(values, block % season, season)
        self._memory = carried(block, level)
        self._spread = np.sqrt(known_mean(level**2)) + ROUNDING * np.abs(known_mean(values))
        self._block, self._level = block[-MOST:].copy(), level[-MOST:]
        self._seen = self._innovations(block, level)[-MOST:]
        self.watched: Bools = np.isfinite(self._seen).sum(axis=0) >= LEAST
        self.raised = np.zeros(len(self.columns), np.int64)
        shape = (len(self.columns), len(BETS))
        self._sum, self._best = np.zeros(shape), np.zeros(shape)
        self._since = np.zeros(shape, np.int64)
        self._open: dict[str, DriftAlarm] = {}

    @property
    def threshold(self) -> float:
        """The evidence at which an alarm is raised."""
        return max(int(self.watched.sum()), 1) * self.month / self.budget

    @property
    def alarms(self) -> list[DriftAlarm]:
        """The drifts of now, their sizes up to the newest block, in the order of the columns."""
        found = []
        for column, name in enumerate(self.columns):
            if name in self._open:
                alarm = self._open[name]
                found.append(replace(alarm, size=self._size(column, alarm.since)))
        return found

    def update(self, block: Integers, X: Matrix, known: Bools) -> None:
        """Take the next blocks, each of them once, in order; shapes as in the constructor.

        Raises
        ------
        MatrixError, ValueError
            As the constructor, or a block is not after the last.
        """
        after = int(self._block[-1]) if len(self._block) else None
        values = self._values(block, X, known, after=after)
        level = values - self._profile[block % self.season]
        for i in range(len(block)):
            self._block = np.append(self._block, block[i])[-MOST:]
            self._level = np.vstack([self._level, level[i]])[-MOST:]
            new = self._innovations(self._block[-2:], self._level[-2:])[-1]
            for column in np.flatnonzero(self.watched & np.isfinite(new)).tolist():
                self._bet(column, float(new[column]), int(block[i]))
            if len(self._seen) < MOST:
                self._seen = np.vstack([self._seen, new])
            self._end_alarms(int(block[i]))

    def _values(self, block: Integers, X: Matrix, known: Bools, after: int | None) -> Matrix:
        X = as_matrix(X, self.columns)
        if block.shape != (len(X),) or known.shape != X.shape:
            raise ValueError(
                f"blocks are {block.shape}, known is {known.shape}; expected {X.shape[:1]} "
                f"and {X.shape}"
            )
        late = np.diff(block, prepend=block[:1] - 1 if after is None else after) <= 0
        if late.any():
            raise ValueError(f"block {block[late][0]} is not after the one before it")
        return np.where(known, X, np.nan)

    def _bet(self, column: int, new: float, now: int) -> None:
        name = self.columns[column]
        if name in self._open:
            return
        past = self._seen[:, column]
        below, equal = int((past < new).sum()), int((past == new).sum())
        paid = _payments(int(np.isfinite(past).sum()) + 1)
        # Of ranks that are tied each is as likely.
        e = (paid[below + equal + 1] - paid[below]) / (equal + 1)
        self._since[column][self._best[column] <= 1.0 + ROUNDING] = now
        self._best[column] = np.maximum(self._best[column], 1.0) * e
        self._sum[column] = (self._sum[column] + 1.0) * e
        evidence = float(self._sum[column].mean())
        since = int(self._since[column, self._best[column].argmax()])
        size = self._size(column, since)
        if evidence >= self.threshold and abs(size) >= LEAST_SHIFT * self._spread[column]:
            rate = self.threshold * self.budget / evidence
            self._open[name] = DriftAlarm(name, since, now, size, rate)
            self.raised[column] += 1
            self._sum[column] = self._best[column] = 0.0

    def _innovations(self, block: Integers, level: Matrix) -> Matrix:
        """What the block before did not foretell, in grains; NaN where one of both is unknown."""
        new = np.full_like(level, np.nan)
        if len(block) > 1:
            grain = GRAIN * np.where(self._spread > 0, self._spread, 1.0)
            told = np.round((level[1:] - self._memory * level[:-1]) / grain)
            new[1:] = np.where((np.diff(block) == 1)[:, None], told, np.nan)
        return new

    def _size(self, column: int, since: int) -> float:
        return float(known_mean(self._level[self._block >= since, column]))

    def _end_alarms(self, now: int) -> None:
        for name, alarm in list(self._open.items()):
            column = self.columns.index(name)
            first = now - self.season + 1
            recent = self._size(column, first)
            if alarm.told < first and abs(recent) < BACK * abs(alarm.size):
                del self._open[name]

    def state(self) -> State:
        """All that was learned, as arrays and JSON values."""
        return {
            "columns": list(self.columns),
            "budget": self.budget,
            "season": self.season,
            "month": self.month,
            "block": self._block.copy(),
            "profile": self._profile.copy(),
            "memory": self._memory.copy(),
            "spread": self._spread.copy(),
            "level": self._level.copy(),
            "seen": self._seen.copy(),
            "watched": self.watched.copy(),
            "raised": self.raised.copy(),
            "sum": self._sum.copy(),
            "best": self._best.copy(),
            "since": self._since.copy(),
            "open": [list(asdict(alarm).values()) for alarm in self._open.values()],
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The monitor that `state` describes.

        Raises
        ------
        StateError
            A part is missing or has the wrong type, shape or range.
        """
        columns, season = state_value(state, "columns", list), state_value(state, "season", int)
        d, rows, seen = len(columns), _rows(state, "block"), _rows(state, "seen")
        none = np.empty((0, d))
        try:
            new = cls(
                columns,
                np.empty(0, np.int64),
                none,
                none.astype(bool),
                budget=state_value(state, "budget", float),
                season=season,
                month=state_value(state, "month", int),
            )
            opened = [DriftAlarm(*row) for row in state_value(state, "open", list)]
        except (TypeError, ValueError) as error:
            raise StateError(f"state holds no drift monitor: {error}") from error
        new._block = state_array(state, "block", np.int64, (rows,))
        new._profile = state_array(state, "profile", np.float64, (season, d))
        new._memory = state_array(state, "memory", np.float64, (d,))
        new._spread = state_array(state, "spread", np.float64, (d,))
        new._level = state_array(state, "level", np.float64, (rows, d))
        new._seen = state_array(state, "seen", np.float64, (seen, d))
        new.watched = state_array(state, "watched", np.bool_, (d,))
        new.raised = state_array(state, "raised", np.int64, (d,))
        for key in ("sum", "best"):
            setattr(new, f"_{key}", state_array(state, key, np.float64, (d, len(BETS))))
        new._since = state_array(state, "since", np.int64, (d, len(BETS)))
        new._open = {alarm.column: alarm for alarm in opened}
        return new


def _rows(state: State, key: str) -> int:
    value = state.get(key)
    return len(value) if isinstance(value, np.ndarray) and value.ndim else 0


@lru_cache(maxsize=64)
def _payments(count: int) -> Matrix:
    """What each bet pays for the ranks up to each of ``count``, summed; on average 1 a rank."""
    odds = (np.arange(count) + 0.5) / (count - 0.5 - np.arange(count))
    paid = odds[:, None] ** BETS
    summed: Matrix = np.cumsum(paid / paid.mean(axis=0), axis=0)
    return np.vstack([np.zeros((1, len(BETS))), summed])
