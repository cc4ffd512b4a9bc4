"""Attribution of one alert against leaving each feature out in turn and scoring again."""

from __future__ import annotations

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn import ensemble

from benchmarks.harness import Result, compare
from models.explain import contributions
from models.isolation_forest import IsolationForest

__all__ = ["run"]

FEATURES = 23
HISTORY = 10_000
FAR = 8.0
SEED = 0


def run(quick: bool = False) -> list[Result]:
    """Compare on one alert; the peer scores once a feature, and all features in one batch."""
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(HISTORY, FEATURES))
    usual = np.median(X, axis=0)
    alert = rng.normal(size=(1, FEATURES))
    alert[0, 3] += FAR
    ours = IsolationForest([f"f{i}" for i in range(FEATURES)]).fit(X, seed=SEED)
    peer = ensemble.IsolationForest(random_state=SEED).fit(X)
    # Our contributions add up to the logarithm of the peer's score, up to a constant.
    both = np.vstack([alert, usual])
    sums = contributions(ours, both).sum(axis=1)
    parity = abs(float(np.diff(sums - np.log2(-peer.score_samples(both)))[0]))
    left_out = np.repeat(alert, FEATURES, axis=0)
    np.fill_diagonal(left_out, usual)

    def one_by_one() -> NDArray[np.float64]:
        whole = peer.score_samples(alert)[0]
        return np.array([peer.score_samples(row[None])[0] - whole for row in left_out])

    def in_one_batch() -> NDArray[np.float64]:
        scores = peer.score_samples(np.vstack([alert, left_out]))
        return np.asarray(scores[1:] - scores[0])

    return [
        compare(
            name,
            lambda: contributions(ours, alert),
            attribution,
            f"scikit-learn {sklearn.__version__} score_samples, {how}",
            "us/call",
            parity,
            repeats=5,
        )
        for name, attribution, how in (
            ("explain.window", one_by_one, "a feature left out at a time"),
            ("explain.window.batched", in_one_batch, "every feature left out, one batch"),
        )
    ]
