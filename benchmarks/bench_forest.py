"""The isolation forest against scikit-learn's ``score_samples``, the same forest in both."""

from __future__ import annotations

import numpy as np
import sklearn
from sklearn import ensemble

from benchmarks.harness import Result, compare
from models.isolation_forest import IsolationForest

__all__ = ["run"]

FEATURES = 16
SEED = 0


def run(quick: bool = False) -> list[Result]:
    """Score 1, 1,024 and (unless quick) 100,000 rows, the checks at the border included."""
    rng = np.random.default_rng(SEED)
    history = rng.normal(size=(5000, FEATURES))
    ours = IsolationForest([f"x{j}" for j in range(FEATURES)]).fit(history, seed=SEED)
    peer = ensemble.IsolationForest(random_state=SEED).fit(history)
    results = []
    for n in (1, 1024) if quick else (1, 1024, 100_000):
        X = rng.normal(size=(n, FEATURES))
        results.append(
            compare(
                f"forest.score.{n}",
                lambda X=X: ours.score(X),
                lambda X=X: peer.score_samples(X),
                f"scikit-learn {sklearn.__version__} score_samples",
                "us/call",
                float(np.abs(ours.score(X) + peer.score_samples(X)).max()),
            )
        )
    return results
