"""Half-space trees against River: score a row, then learn it, the same cuts in both."""

from __future__ import annotations

import numpy as np
import river
from river import anomaly

from benchmarks.harness import Result, compare
from models.kernels.half_space import HalfSpaces

__all__ = ["run"]

FEATURES = 16
N_TREES = 25
WINDOW_SIZE = 250
# Whole windows, so that each call of ours and of the peer ends as many of them.
ROWS = 2 * WINDOW_SIZE
SEED = 0


def run(quick: bool = False) -> list[Result]:
    """Compare at height 8 and (unless quick) 15; River takes each row as its dictionary."""
    return [_compare(height) for height in ((8,) if quick else (8, 15))]


def _compare(height: int) -> Result:
    X = np.random.default_rng(SEED).beta(2.0, 5.0, size=(ROWS, FEATURES))
    rows = [dict(enumerate(x)) for x in X.tolist()]
    peer = anomaly.HalfSpaceTrees(
        n_trees=N_TREES, height=height, window_size=WINDOW_SIZE, seed=SEED
    )
    peer.learn_one(rows[0])
    ours = HalfSpaces.from_river(peer, range(FEATURES))

    def score_learn() -> list[float]:
        scores = []
        for row in rows:
            scores.append(peer.score_one(row))
            peer.learn_one(row)
        return scores

    # The second run is warm from its first row; the timed ones go on from there.
    parity = max(float(np.abs(ours.score_learn(X) - score_learn()).max()) for _ in range(2))
    return compare(
        f"half_space.{N_TREES}x{height}",
        lambda: ours.score_learn(X),
        score_learn,
        f"river {river.__version__} HalfSpaceTrees",
        "rows/s",
        parity,
        rows=ROWS,
        repeats=5,
    )
