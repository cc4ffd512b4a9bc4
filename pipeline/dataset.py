"""Labelled data sets in the layout of ``data/README.md``: read, and scored without labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from features.catalogue import VIEWS
from features.silence import batch_windows
from features.stream import TIME
from features.view import FeatureView
from pipeline.files import InputError, read_events
from pipeline.scorer import SCORES, STEP, Scorer

__all__ = ["COLUMNS", "Dataset", "score_dataset"]

DEFAULT_VIEW = {"trades": "trades.symbol_5s"}
"""The view that scores a data set of a stream: one configuration for a kind of stream."""

COLUMNS = [name for name in SCORES if name != "reasons"]
"""Columns of the file that `tocsin score` writes."""


@dataclass(frozen=True)
class Dataset:
    """A folder with ``meta.json``, data, and perhaps ``labels.csv``."""

    path: Path
    meta: dict[str, Any]
    view: FeatureView

    @classmethod
    def open(cls, path: Path) -> Dataset:
        """Read the description of a data set.

        Raises
        ------
        InputError
            The folder is no data set, or of a kind that no view scores.
        """
        try:
            meta = json.loads((path / "meta.json").read_text())
            stream, layout = str(meta["stream"]), str(meta["layout"])
        except OSError as error:
            raise InputError(f"{path}: no meta.json; expected a data set folder") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}/meta.json: expected JSON with stream and layout") from error
        if layout != "events" or stream not in DEFAULT_VIEW:
            raise InputError(
                f"{path}: layout {layout} of stream {stream} has no view; "
                f"expected layout events of {', '.join(DEFAULT_VIEW)}"
            )
        return cls(path, meta, VIEWS[DEFAULT_VIEW[stream]])

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    def windows(self, *, now: datetime) -> pl.DataFrame:
        """Every window of the data set's events."""
        events, _ = read_events(self.view.stream, [self.path / "events.parquet"], now=now)
        return batch_windows(self.view, events)

    def labels(self) -> pl.DataFrame:
        """The labelled events: ``entity, start, end`` (UTC).

        Raises
        ------
        InputError
            There is no readable ``labels.csv`` with these columns.
        """
        path = self.path / "labels.csv"
        try:
            labels = pl.read_csv(path, infer_schema=False)
            time = pl.col("start", "end").str.to_datetime("%+", time_unit="us", time_zone="UTC")
            return labels.select("entity", time.cast(TIME))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(f"{path}: expected labels with entity, start and end") from error


def score_dataset(
    dataset: Dataset,
    windows: pl.DataFrame,
    *,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> pl.DataFrame:
    """Score every window with what came before it, and nothing else.

    Parameters
    ----------
    windows : polars.DataFrame
        From `Dataset.windows`.
    progress : callable
        Told the share done, 0 to 1.

    Returns
    -------
    polars.DataFrame
        `COLUMNS`, a high score is anomalous, and the probability ``p_<arm>`` of each arm.
    """
    scorer = Scorer(dataset.view, seed=seed)
    steps = []
    for i in range(0, len(windows), STEP):
        steps.append(scorer.step(windows[i : i + STEP]).drop("reasons"))
        progress(min(1.0, (i + STEP) / len(windows)))
    return pl.concat(steps)
