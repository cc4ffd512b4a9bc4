"""Learn what is normal for a view from the windows in the lake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl

from features.view import FeatureView
from pipeline.files import InputError
from pipeline.lake import Lake
from pipeline.scoring.scorer import STEP, Scorer

__all__ = ["learn", "model_path", "train"]


def model_path(home: Path, view: FeatureView) -> Path:
    """Where the model of a view is kept."""
    return home / "models" / f"{view.name}.npz"


def learn(
    view: FeatureView,
    windows: pl.DataFrame,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> Scorer:
    """Fit the view's arms on windows, scored and learned in order as a stream would be.

    The scorer is ready for the window after the last one.

    Raises
    ------
    InputError
        The windows are too few for the detectors to be fitted.
    """
    scorer = Scorer(view, seed=seed)
    for i in range(0, len(windows), STEP):
        scorer.step(windows[i : i + STEP])
        progress(min(1.0, (i + STEP) / len(windows)))
    if not scorer.fitted:
        raise InputError(
            f"view {view.name}: {len(windows):,} windows are too few to learn from; "
            f"expected at least {scorer.next_fit:,}"
        )
    return scorer


def train(
    view: FeatureView,
    lake: Lake,
    path: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> Scorer:
    """Fit the view's arms on its history and save them to one file.

    Raises
    ------
    InputError
        The history is too short for the detectors to be fitted.
    """
    windows = lake.windows(view.name, since=since, until=until)
    scorer = learn(view, windows, seed=seed, progress=progress)
    scorer.save(path)
    return scorer
