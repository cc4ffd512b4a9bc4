"""Whether a view is still what its model was trained on, told in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.extract import US
from features.view import FeatureView
from models.detector import StateError, state_array
from models.drift import DriftMonitor
from models.persistence import ModelFileError, read_state, write_state
from pipeline.scoring.words import amount, label, quantity

__all__ = ["Drift", "DriftWatch"]

BLOCK = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEYS = ("hour", "entity")
VERSION = 1


@dataclass(frozen=True)
class Drift:
    """A feature, or how rare windows look to an arm, is no longer as in training.

    Parameters
    ----------
    column : str
        A feature, ``p`` for the score or ``p_<arm>`` for an arm's.
    since, told : datetime
        When it began, as far as can be said, and when it was known; whole hours, UTC.
    size : float
        Difference to training in the feature's unit; of ratios and of scores between logarithms.
    per_month : float
        An unchanged stream brings as much evidence at most so often, over all columns.
    words : str
    """

    column: str
    since: datetime
    told: datetime
    size: float
    per_month: float
    words: str


class DriftWatch:
    """Hourly means of a view's features and scores, each entity less its own mean in training.

    Parameters
    ----------
    view : FeatureView
    windows, scores : polars.DataFrame
        What the model was trained on, and its scores of that, row by row; cold scores count as
        unknown. Fewer than two days are not watched.
    budget : float
        False alarms a month, of all columns together; see `models.drift.DriftMonitor`.
    """

    def __init__(
        self, view: FeatureView, windows: pl.DataFrame, scores: pl.DataFrame, *, budget: float = 1.0
    ) -> None:
        self.view = view
        arms = [name for name in scores.columns if name == "p" or name.startswith("p_")]
        self.columns = (*view.names, *arms)
        ratio = {f.name for f in view.features if f.scale == "ratio"}
        self._ratio = np.array([name in ratio for name in self.columns])
        self._usual: dict[str, NDArray[np.float64]] = {}
        self._waiting = self._sums(windows, scores)
        hours, entities, levels = self._take(closed=pl.lit(True))
        for entity in np.unique(entities):
            of = levels[entities == entity]
            count = np.isfinite(of).sum(axis=0)
            total = np.where(np.isfinite(of), of, 0.0).sum(axis=0)
            self._usual[str(entity)] = np.divide(
                total, count, out=np.full(len(count), np.nan), where=count > 0
            )
        block, X, known = self._blocks(hours, entities, levels)
        self.monitor = DriftMonitor(self.columns, block, X, known, budget=budget)

    def update(self, windows: pl.DataFrame, scores: pl.DataFrame) -> None:
        """Take the next windows and their scores; an hour counts when a later one has begun.

        Parameters
        ----------
        windows, scores : polars.DataFrame
            What `pipeline.scoring.scorer.Scorer.step` was given and gave, in order of time.
        """
        self._waiting = pl.concat([self._waiting, self._sums(windows, scores)])
        self._waiting = self._waiting.group_by(*KEYS).sum().sort(*KEYS)
        if self._waiting["hour"].n_unique() > 1:
            rows = self._take(closed=pl.col("hour") < pl.col("hour").max())
            self.monitor.update(*self._blocks(*rows))

    @property
    def drifts(self) -> list[Drift]:
        """The drifts of now, in the order of the columns."""
        return [
            Drift(
                alarm.column,
                EPOCH + alarm.since * BLOCK,
                EPOCH + alarm.told * BLOCK,
                alarm.size,
                alarm.per_month,
                self._words(alarm.column, alarm.size, EPOCH + alarm.since * BLOCK),
            )
            for alarm in self.monitor.alarms
        ]

    def save(self, path: Path) -> None:
        """Write all that was learned to one file, whole or not at all."""
        state: dict[str, Any] = {f"monitor/{k}": v for k, v in self.monitor.state().items()}
        state["entities"] = np.array(list(self._usual), np.str_)
        state["usual"] = np.array(list(self._usual.values())).reshape(-1, len(self.columns))
        state["waiting_entity"] = self._waiting["entity"].to_numpy().astype(np.str_)
        state["waiting_hour"] = self._waiting["hour"].to_numpy()
        state["waiting"] = self._waiting.drop(*KEYS).to_numpy()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_state(path, f"drift/{self.view.name}", VERSION, state)

    @classmethod
    def load(cls, view: FeatureView, path: Path) -> DriftWatch:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ModelFileError
            The file is damaged, or of another view, version, or set of features.
        """
        name, version, state = read_state(path)
        if (name, version) != (f"drift/{view.name}", VERSION):
            raise ModelFileError(
                f"{path} holds {name} version {version}; expected drift/{view.name} "
                f"version {VERSION}"
            )
        prefix = "monitor/"
        parts = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        try:
            monitor = DriftMonitor.from_state(parts)
            arms = monitor.columns[len(view.names) :]
            if monitor.columns[: len(view.names)] != view.names:
                raise StateError(f"its features are not those of {view.name} now")
            new = cls(view, _nothing(view.schema), _nothing(dict.fromkeys(arms, pl.Float64())))
            new.monitor = monitor
            entities, waiting = _texts(state, "entities"), _texts(state, "waiting_entity")
            width = len(new.columns)
            usual = state_array(state, "usual", np.float64, (len(entities), width))
            sums = state_array(state, "waiting", np.float64, (len(waiting), 2 * width))
            hours = state_array(state, "waiting_hour", np.int64, (len(waiting),))
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"{path} holds no valid drift watch: {error}") from error
        new._usual = dict(zip(entities, usual, strict=True))
        names = [name for name in new._waiting.columns if name not in KEYS]
        new._waiting = pl.DataFrame({"hour": hours, "entity": pl.Series(waiting, dtype=pl.String)})
        new._waiting = new._waiting.hstack(pl.DataFrame(sums, schema=names))
        return new

    def _sums(self, windows: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
        """Sum and count of what is known, by hour, entity and column."""
        arms = self.columns[len(self.view.names) :]
        warm = pl.col("warm") if "warm" in scores.columns else pl.lit(True)
        seen = windows.select(
            (pl.col("start").to_physical() // (BLOCK // US)).alias("hour"),
            "entity",
            *self.view.names,
        ).hstack(
            scores.select(pl.when(warm).then(-pl.col(name).log10()).alias(name) for name in arms)
        )
        return (
            seen.group_by(*KEYS)
            .agg(
                *(pl.col(name).sum().alias(name) for name in self.columns),
                *(
                    pl.col(name).count().cast(pl.Float64).alias(f"{name}:n")
                    for name in self.columns
                ),
            )
            .sort(*KEYS)
        )

    def _take(
        self, closed: pl.Expr
    ) -> tuple[NDArray[np.int64], NDArray[np.str_], NDArray[np.float64]]:
        """Hour, entity and mean of each column of the hours that are closed; NaN where unknown."""
        rows = self._waiting.filter(closed)
        self._waiting = self._waiting.filter(~closed)
        count = rows.select(f"{name}:n" for name in self.columns).to_numpy()
        total = rows.select(self.columns).to_numpy()
        known = (count > 0) & ~(self._ratio & (total <= 0))
        mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=known)
        level = np.log(mean, out=mean.copy(), where=known & self._ratio)
        return rows["hour"].to_numpy(), rows["entity"].to_numpy().astype(np.str_), level

    def _blocks(
        self,
        hours: NDArray[np.int64],
        entities: NDArray[np.str_],
        levels: NDArray[np.float64],
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """For each hour the mean over the entities that training knew, each less its usual."""
        unknown = np.full(len(self.columns), np.nan)
        usual = [self._usual.get(str(entity), unknown) for entity in entities]
        off = levels - np.array(usual).reshape(levels.shape)
        block, of = np.unique(hours, return_inverse=True)
        total, count = (np.zeros((len(block), len(self.columns))) for _ in range(2))
        np.add.at(total, of, np.where(np.isfinite(off), off, 0.0))
        np.add.at(count, of, np.isfinite(off))
        return block, total / np.maximum(count, 1), count > 0

    def _words(self, column: str, size: float, since: datetime) -> str:
        then = f"when the model was trained, since {since:%a %d %H:%M}"
        advice = f"the model is out of date: tocsin retrain {self.view.name}"
        if column not in self.view.names:
            who = column.removeprefix("p_") if column != "p" else "the model"
            rarer = f"{_times(abs(size) * np.log(10))} {'rarer' if size > 0 else 'less rare'}"
            return f"windows have looked {rarer} to {who} than {then}; {advice}"
        feature = self.view.features[self.view.names.index(column)]
        name = label(feature)
        # What is counted is many: "trades have been".
        many = feature.unit in name.split() and feature.unit not in ("share", "ratio")
        have, it = ("have", "they were") if many else ("has", "it was")
        if feature.scale == "ratio":
            less = "" if size > 0 else "less than "
            what = f"{_times(abs(size))} {less}what {it}"
        else:
            side = "above" if size > 0 else "below"
            much = quantity(feature, abs(size)).replace(" %", " percentage points")
            what = f"{much} {side} what {it}"
        return f"{name} {have} been {what} {then}; {advice}"


def _times(logarithm: float) -> str:
    quotient = float(np.exp(min(logarithm, 700.0)))
    return f"{amount(float(f'{quotient:.2g}'))} times"


def _nothing(schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(schema=schema)


def _texts(state: Any, key: str) -> list[str]:
    value = state.get(key)
    if not (isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "U"):
        raise StateError(f"state {key!r} is no array of texts")
    return [str(text) for text in value]
