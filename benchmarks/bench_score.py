"""Every arm, calibration and guard of a view, against the same put together row by row."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import polars as pl
import river
import sklearn
from river import anomaly, drift, stats
from sklearn import ensemble

from benchmarks.harness import Result, compare
from benchmarks.trades import DAY
from features.stream import TIME
from features.trading import SYMBOL_1M as VIEW
from models.bands import SPREADS
from models.change import DELTA, STEP_DAYS
from models.kernels.bands import PRIOR_VISITS
from models.kernels.change import LEAST_COUNT
from pipeline.scoring.scorer import MARGIN, Scorer

__all__ = ["made_up", "run"]

ENTITIES = 4
HISTORY = 8_000
COUNT, PEER_COUNT, COMPARED = 20_000, 40, 2_000
SEED = 0


def run(quick: bool = False) -> list[Result]:
    """Windows/s of `Scorer.step`, 20,000 windows a step (2,000 if quick), after 8,000 of history.

    The peer is given what the arms see; to make that of windows is ours alone here. Each arm's
    raw scores of the next windows are compared, before either learns more.
    """
    rows = 2_000 if quick else COUNT
    batches = _batches(rows)
    scorer = Scorer(VIEW, seed=SEED)
    scorer.step(made_up(0, HISTORY))
    peer = RowByRow(scorer)
    # Few, so that the forest is not fitted anew: the peer has the one before.
    scorer.step(made_up(HISTORY, COMPARED))
    seen = scorer.guard.rows[-PEER_COUNT:, : scorer.width]
    raw = scorer.guard.rows[-PEER_COUNT:, scorer.width :]
    theirs = [peer.raw(row, 0)[: raw.shape[1]] for row in seen.tolist()]
    turn = count()
    return [
        compare(
            "score.pipeline",
            lambda: scorer.step(next(batches)),
            lambda: [peer.step(row, next(turn)) for row in seen.tolist()],
            f"scikit-learn {sklearn.__version__} and river {river.__version__}, a row at a time",
            "windows/s",
            float(np.abs(raw - theirs).max()),
            rows=rows,
            peer_rows=PEER_COUNT,
            repeats=5,
        )
    ]


def made_up(first: int, rows: int, entities: int = ENTITIES) -> pl.DataFrame:
    """Windows of every entity one after another, from the window with this number on."""
    rng = np.random.default_rng([SEED, first])
    values = rng.lognormal(sigma=0.5, size=(rows, len(VIEW.names)))
    number = pl.int_range(first, first + rows, eager=True)
    start = pl.lit(DAY).cast(TIME) + VIEW.every * (number // entities)
    return pl.DataFrame(values, schema=VIEW.names).with_columns(
        ("S" + (number % entities).cast(pl.String)).alias("entity"),
        start.alias("start"),
        (start + VIEW.every).alias("end"),
    )


def _batches(rows: int) -> Iterator[pl.DataFrame]:
    for number in count():
        yield made_up(HISTORY + COMPARED + number * rows, rows)


class RowByRow:
    """The arms of a scorer after its first step, from scikit-learn, River and plain Python."""

    def __init__(self, scorer: Scorer) -> None:
        self.arms = {arm.name: arm for arm in scorer.arms}
        history = scorer.history.rows
        state: dict[str, Any] = dict(self.arms["half_space_trees"].detector.state())
        self.lower, self.upper = state["lower"].tolist(), state["upper"].tolist()
        self.trees = anomaly.HalfSpaceTrees(
            n_trees=state["n_trees"],
            height=state["height"],
            window_size=state["window_size"],
            seed=SEED,
        )
        self.forest = ensemble.IsolationForest(random_state=SEED)
        self.forest.fit(self.arms["isolation_forest"].of(history))
        self.slots = [[stats.Var() for _ in VIEW.names] for _ in range(1 + 24 + 7)]
        self.visits, self.last = [0] * len(self.slots), [-1] * 3
        self.tests: dict[tuple[int, int], drift.PageHinkley] = {}
        self.values: dict[tuple[int, int], int] = {}
        for row in history.tolist():
            self.learn(row)
        self.sorted = {
            name: sorted(arm.calibration.sample.rows[:, 0].tolist())
            for name, arm in self.arms.items()
        }
        self.waiting: deque[tuple[int, bool, list[float], list[float]]] = deque()

    def step(self, row: list[float], turn: int) -> float:
        """Score a row, calibrate, combine, and let the guard decide what is learned."""
        raw = self.raw(row, turn)
        total, least = 0.0, 1.0
        for (name, arm), score in zip(self.arms.items(), raw, strict=True):
            known = self.sorted[name]
            p = (len(known) - bisect_left(known, score) + 1) / (len(known) + 1)
            total += arm.weight * math.tan((0.5 - min(p, 0.99)) * math.pi)
            least = min(least, p)
        self.waiting.append((turn, least < 0.001, row, raw))
        while self.waiting[0][0] <= turn - 2 * ENTITIES * (MARGIN // VIEW.every):
            _, flagged, old, scores = self.waiting.popleft()
            if not flagged:
                self.learn(old)
                for name, score in zip(self.arms, scores, strict=True):
                    insort(self.sorted[name], score)
        return math.atan2(1.0, total) / math.pi

    def raw(self, row: list[float], turn: int) -> list[float]:
        """The raw score of each arm."""
        scores = {
            "isolation_forest": float(
                -self.forest.score_samples([self.of("isolation_forest", row)])[0]
            ),
            "half_space_trees": self.trees.score_one(self.unit(row)),
            "bands": self.bands(row),
            "change": self.change(row, turn),
            "surge": sum(math.log1p(max(x, 0.0)) for x in self.of("surge", row)),
        }
        return [scores[name] for name in self.arms]

    def learn(self, row: list[float]) -> None:
        self.trees.learn_one(self.unit(row))
        for season, at in enumerate(self.at(row)):
            if self.last[season] != at:
                self.last[season] = at
                self.visits[at] += 1
            for var, x in zip(self.slots[at], self.of("bands", row), strict=False):
                if x != 0.0:
                    var.update(x)
        *levels, entity, _ = self.of("change", row)
        for f, level in enumerate(levels):
            self.values[int(entity), f] = self.values.get((int(entity), f), 0) + 1
            if self.values[int(entity), f] > self.arms["change"].input.about["settle"]:
                self.test(int(entity), f).update(level)

    daily = 1_440

    def of(self, name: str, row: list[float]) -> list[float]:
        return row[self.arms[name].place]

    def unit(self, row: list[float]) -> dict[int, float]:
        return {
            f: min(max((x - low) / (high - low), 0.0), 1.0) if high > low else 0.5
            for f, (x, low, high) in enumerate(
                zip(self.of("half_space_trees", row), self.lower, self.upper, strict=True)
            )
        }

    def at(self, row: list[float]) -> tuple[int, int, int]:
        hour, day = self.of("bands", row)[-2:]
        return 0, 1 + int(hour), 25 + int(day)

    def bands(self, row: list[float]) -> float:
        total, sides = 0.0, self.arms["bands"].input.about["sides"]
        for f, x in enumerate(self.of("bands", row)[:-2]):
            every = self.slots[0][f]
            mean, variance = every.mean.get(), every.get()
            for at in self.at(row)[1:]:
                own, visits = self.slots[at][f], self.visits[at] - 1.0
                if visits > 0 and own.mean.n > 1:
                    known = visits / (visits + PRIOR_VISITS)
                    mean += known * (own.mean.get() - every.mean.get())
                    variance += known * (own.get() - every.get())
            off = (x - mean) / max(SPREADS * math.sqrt(max(variance, 0.0)), 1.0)
            beyond = (abs(off) if sides[f] == 0 else off * sides[f]) - 1.0
            total += max(beyond, 0.0) if x != 0.0 else 0.0
        return total

    def test(self, entity: int, f: int) -> drift.PageHinkley:
        if (entity, f) not in self.tests:
            self.tests[entity, f] = drift.PageHinkley(
                min_instances=LEAST_COUNT,
                delta=DELTA,
                threshold=STEP_DAYS * self.daily,
                alpha=1.0,
            )
        return self.tests[entity, f]

    def change(self, row: list[float], turn: int) -> float:
        *levels, entity, _ = self.of("change", row)
        total = 0.0
        for f, x in enumerate(levels):
            test = self.test(int(entity), f)
            n = test._x_mean.n + 1.0
            if n < LEAST_COUNT:
                continue
            # River updates and cannot look: the same sums by hand.
            off = x - (test._x_mean.get() + (1.0 / n) * (x - test._x_mean.get()))
            rise, fall = test._sum_increase + off - DELTA, test._sum_decrease + off + DELTA
            total += max(rise - test._min_increase, test._max_decrease - fall, 0.0)
        return total / (STEP_DAYS * self.daily)
