"""Data sets in the layouts of ``data/README.md``: read, and scored without a look at labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.catalogue import VIEWS
from features.silence import batch_windows
from features.stream import TIME
from features.view import FeatureView
from models.detector import Matrix
from pipeline.evaluation.event_tables import TIMELESS, read_event_table
from pipeline.evaluation.lives import lives
from pipeline.evaluation.population import score_population
from pipeline.evaluation.series import score_rows, score_series
from pipeline.files import InputError, read_table
from pipeline.scoring.scorer import SCORES, STEP, Scorer

__all__ = ["COLUMNS", "Dataset", "blind_scores", "score_dataset"]

DEFAULT_VIEW = {"trades": "trades.symbol_5s"}
"""The view that scores events of a stream: one configuration for a kind of stream."""

WHOLE_VIEW = {"calls": "calls.transaction_1s", "transactions": "transactions.account_1d"}
"""The same for streams whose sets ask about whole entities: a transaction, an account."""

COLUMNS = [name for name in SCORES if name != "reasons"]
"""Columns of the scores of windows and samples."""

LAYOUTS = ("events", "series", "rows")


@dataclass(frozen=True)
class Dataset:
    """A folder with ``meta.json``, data, and perhaps ``labels.csv``."""

    path: Path
    meta: dict[str, Any]
    layout: str
    stream: str

    @classmethod
    def open(cls, path: Path) -> Dataset:
        """Read the description of a data set.

        Raises
        ------
        InputError
            The folder is no data set, or of a kind that cannot be scored.
        """
        try:
            meta = json.loads((path / "meta.json").read_text())
            stream, layout = str(meta["stream"]), str(meta["layout"])
        except OSError as error:
            raise InputError(f"{path}: no meta.json; expected a data set folder") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}/meta.json: expected JSON with stream and layout") from error
        if layout not in LAYOUTS:
            raise InputError(f"{path}: layout {layout}; expected one of {', '.join(LAYOUTS)}")
        views = DEFAULT_VIEW | WHOLE_VIEW
        known = [name for name, view in views.items() if view in VIEWS]
        if layout == "events" and stream not in known:
            raise InputError(
                f"{path}: no view scores events of {stream}; expected events of {', '.join(known)}"
            )
        return cls(path, meta, layout, stream)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def view(self) -> FeatureView:
        """The view that scores the events of this data set."""
        if self.stream in DEFAULT_VIEW:
            return VIEWS[DEFAULT_VIEW[self.stream]]
        return VIEWS[WHOLE_VIEW[self.stream]]

    @property
    def timed(self) -> bool:
        """Whether what is scored has a time; whole entities and rows have none."""
        return self.layout == "series" or (self.layout == "events" and self.stream in DEFAULT_VIEW)

    def windows(self, *, now: datetime) -> pl.DataFrame:
        """Every window of the data set's events; one an entity where whole entities are judged."""
        events = read_event_table(self.view.stream, self.path / "events.parquet", now=now)
        return batch_windows(self.view, events) if self.timed else lives(self.view, events)

    def samples(self) -> pl.DataFrame:
        """The samples of a data set of series, sorted by entity and time.

        Raises
        ------
        InputError
            A column is missing or of the wrong type, a value is infinite, or an entity has samples
            to score before its history.
        """
        path = self.path / "series.parquet"
        table = read_table(path)
        if missing := {"ts", "entity"} - set(table.columns):
            raise InputError(f"{path}: column {min(missing)} is missing; expected ts and entity")
        metrics = table.drop("ts", "entity", "split", strict=False)
        _require_numbers(path, metrics)
        for metric in metrics.cast(pl.Float64):
            if metric.is_infinite().any():
                raise InputError(f"{path}: {metric.name} is infinite; expected a finite number")
        if not isinstance(table.schema["ts"], pl.Datetime) or table.schema["ts"].time_zone is None:
            raise InputError(f"{path}: column ts is {table.schema['ts']}; expected a UTC time")
        if table["ts"].has_nulls() or table["entity"].has_nulls():
            raise InputError(f"{path}: ts or entity is missing in a row; expected both in each")
        samples = table.with_columns(pl.col("ts").cast(TIME), pl.col("entity").cast(pl.String))
        samples = samples.sort("entity", "ts", maintain_order=True)
        if "split" in samples.columns:
            samples = samples.with_columns(pl.col("split").cast(pl.String))
            train = pl.col("split").eq_missing("train")
            before = train.shift(fill_value=True).over("entity")
            first = pl.int_range(pl.len()).over("entity") == 0
            late = samples.filter((train & ~before) | (first & ~train))
            if len(late):
                raise InputError(
                    f"{path}: entity {late['entity'][0]}: split is {late['split'][0]} at "
                    f"{late['ts'][0]:%Y-%m-%d %H:%M:%S}; expected all of train, and then test"
                )
        return samples

    def step(self, samples: pl.DataFrame) -> timedelta:
        """Time from sample to sample: told by ``step_seconds``, else the median."""
        if "step_seconds" in self.meta:
            told = self.meta["step_seconds"]
            if not isinstance(told, int | float) or not 0 < told < float("inf"):
                raise InputError(
                    f"{self.path}/meta.json: step_seconds is {told}; expected a number above 0"
                )
            return timedelta(seconds=told)
        gaps = samples.select(pl.col("ts").diff().over("entity")).to_series().drop_nulls()
        median = gaps.median()
        return median if isinstance(median, timedelta) and median else timedelta(minutes=1)

    def rows(self) -> tuple[pl.Series, Matrix]:
        """The row numbers and the numbers, shape (n, d), of a data set of rows.

        Raises
        ------
        InputError
            A column is missing or not numeric, or a value is missing or not finite.
        """
        path = self.path / "rows.parquet"
        table = read_table(path)
        if "row" not in table.columns:
            raise InputError(f"{path}: column row is missing")
        if not table.schema["row"].is_integer():
            raise InputError(f"{path}: column row is {table.schema['row']}; expected integers")
        numbers = table.drop("row").cast({pl.Boolean: pl.Int8})
        _require_numbers(path, numbers)
        X = np.ascontiguousarray(numbers.cast(pl.Float64).to_numpy())
        bad = np.argwhere(~np.isfinite(X))
        if len(bad):
            row, column = bad[0]
            raise InputError(
                f"{path}: row {row}: {numbers.columns[column]} = {X[row, column]}; "
                "expected a finite number"
            )
        return table["row"], X

    def labels(self) -> pl.DataFrame:
        """What is anomalous, as ``labels.csv`` gives it; times are UTC.

        Events and series have ``entity, start, end``, rows have ``row``. Events whose labels have
        no ``start`` name whole entities, in the column ``entity`` or that of the set's entity.

        Raises
        ------
        InputError
            There is no readable ``labels.csv`` with these columns.
        """
        path = self.path / "labels.csv"
        names = "row" if self.layout == "rows" else "entity, start and end"
        try:
            labels = pl.read_csv(path, infer_schema=False)
            if "anomaly" in labels.columns:
                labels = labels.filter(pl.col("anomaly").cast(pl.Float64) != 0)
            if self.layout == "rows":
                return labels.select(pl.col("row").cast(pl.Int64))
            if self.layout == "events" and "start" not in labels.columns:
                column = str(self.meta.get("entity"))
                return labels.select(
                    pl.col("entity" if "entity" in labels.columns else column).alias("entity")
                )
            time = pl.col("start", "end").str.to_datetime("%+", time_unit="us", time_zone="UTC")
            return labels.select("entity", time.cast(TIME))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(f"{path}: expected labels with {names}") from error


def _require_numbers(path: Path, table: pl.DataFrame) -> None:
    if not table.columns:
        raise InputError(f"{path}: no column of numbers; expected at least one")
    for name, kind in table.schema.items():
        if not kind.is_numeric():
            raise InputError(f"{path}: column {name} is {kind}; expected numbers")


def blind_scores(
    dataset: Dataset,
    *,
    now: datetime,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> pl.DataFrame:
    """Score a data set of any layout; what `tocsin score` writes.

    Returns
    -------
    polars.DataFrame
        `COLUMNS` for events and series; ``row, score, p`` for rows. A whole entity has no rate:
        its ``per_day`` is null, as are ``start`` and ``end`` where its events have no time.
    """
    if dataset.layout == "rows":
        row, X = dataset.rows()
        ordered = bool(dataset.meta.get("ordered", False))
        score, p = score_rows(X, ordered=ordered, seed=seed)
        return pl.DataFrame({"row": row, "score": score, "p": p})
    if dataset.layout == "series":
        samples = dataset.samples()
        return score_series(samples, step=dataset.step(samples), seed=seed, progress=progress)
    windows = dataset.windows(now=now)
    if not dataset.timed:
        return _population_scores(dataset.view, windows, seed)
    return score_dataset(dataset, windows, seed=seed, progress=progress).select(COLUMNS)


def _population_scores(view: FeatureView, windows: pl.DataFrame, seed: int) -> pl.DataFrame:
    score, p = score_population(view, windows, seed=seed)
    known = pl.when(pl.col("start") != TIMELESS)
    return windows.select(
        "entity",
        *(known.then(pl.col(name)).alias(name) for name in ("start", "end")),
        pl.Series("score", score),
        pl.Series("p", p),
        pl.lit(None, SCORES["per_day"]).alias("per_day"),
        pl.lit(True).alias("warm"),
    )


def score_dataset(
    dataset: Dataset,
    windows: pl.DataFrame,
    *,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> pl.DataFrame:
    """Score every window of events with what came before it, and nothing else.

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
