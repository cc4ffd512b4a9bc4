"""What scores requests: one scorer a view, loaded from the champion, never learning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from features.catalogue import VIEWS
from features.view import FeatureView
from models.persistence import ModelFileError
from pipeline.config import Config
from pipeline.scoring.scorer import Scorer
from pipeline.stream.adopt import OK, THRESHOLDS
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.live import models_of
from serving.api.matrices import EPOCH, MICROSECOND, Given
from serving.rules.rule import COMPARE, Ladder, Pack, Rung

__all__ = ["Limit", "Scorers", "Served"]


@dataclass(frozen=True)
class Limit:
    """A static limit that a window crosses."""

    rule: str
    severity: str
    feature: str
    operator: str
    limit: float
    value: float
    held: str
    """How many of how many windows must cross it before it is a breach."""
    words: str


@dataclass(frozen=True)
class Served:
    """What scores the windows of one view.

    Parameters
    ----------
    view : FeatureView
    model : str
        Its name and version; empty where there is none.
    state, detail : str
        ``ok`` or ``degraded: ...``, and why.
    scorer : Scorer or None
        None where only thresholds judge.
    ladders : tuple of Ladder
        The static limits of the view that tell people.
    """

    view: FeatureView
    model: str = ""
    state: str = THRESHOLDS
    detail: str = "no model was trained yet"
    scorer: Scorer | None = None
    ladders: tuple[Ladder, ...] = field(default=(), repr=False)

    def limits(self, given: Given) -> list[list[Limit]]:
        """For each window the highest rung of each ladder that it crosses."""
        found: list[list[Limit]] = [[] for _ in given.entity]
        for row, ladder, rung, value in self.crossed(given):
            words = dict(zip(self.view.names, given.values[row].tolist(), strict=True))
            limit = _limit(self.view, ladder, rung, given.entity[row], value, words)
            found[row].append(limit)
        return found

    def crossed(self, given: Given) -> Iterator[tuple[int, Ladder, Rung, float]]:
        """The same without words: row, ladder, rung and value."""
        names, values = self.view.names, given.values
        for ladder in self.ladders:
            column = values[:, names.index(ladder.feature)]
            # NaN compares false: what is unknown crosses nothing.
            crossed = COMPARE[ladder.operator_of(ladder.rungs[0])](column, ladder.rungs[0].limit)
            if not crossed.any():
                continue
            for also in ladder.also:
                crossed &= COMPARE[also.operator](values[:, names.index(also.feature)], also.limit)
            for row in np.flatnonzero(crossed).tolist():
                value = float(column[row])
                if _concerns(ladder, given.entity[row], int(given.start[row])):
                    rung = [rung for rung in ladder.rungs if ladder.breaks(rung, value)][-1]
                    yield row, ladder, rung, value


def _concerns(ladder: Ladder, entity: str, start: int) -> bool:
    """Whether a ladder is about an entity, and about the time of day at which a window began."""
    if ladder.only and not re.fullmatch(ladder.only, entity):
        return False
    if not ladder.between:
        return True
    begin, end = ladder.between.split("-")
    at = EPOCH + start * MICROSECOND
    return begin <= f"{at:%H:%M}" < end


def _limit(
    view: FeatureView,
    ladder: Ladder,
    rung: Rung,
    entity: str,
    value: float,
    known: dict[str, float],
) -> Limit:
    parts = dict(zip(view.entity, entity.rsplit("|", len(view.entity) - 1), strict=False))
    words: dict[str, Any] = {**known, **parts, "entity": entity, "value": value}
    said = rung.summary or ladder.summary
    some, of = rung.hold or ladder.hold
    return Limit(
        rung.id,
        rung.severity.value,
        ladder.feature,
        ladder.operator_of(rung),
        rung.limit,
        value,
        f"{some} of {of}",
        said.format_map({**words, "limit": rung.limit, "unit": ladder.unit}),
    )


class Scorers:
    """The scorer of each view for requests: the champion, else what the stream has learned.

    Parameters
    ----------
    config : Config
    engine : sqlalchemy.Engine
        Where the stream's checkpoint is.
    packs : sequence of Pack
    """

    def __init__(self, config: Config, engine: sa.Engine, packs: Sequence[Pack]) -> None:
        self._config = config
        self._models = models_of(config)
        self._checkpoint = Checkpoint(engine, config.loop)
        self.ready = False
        """Whether models were looked for."""
        self.closed: dict[str, datetime | None] = {}
        """Until when the stream has closed the windows of each view."""
        ladders = [ladder for pack in packs for ladder in pack.ladders if not ladder.silent]
        self._served = {
            name: Served(view, ladders=tuple(one for one in ladders if one.view == name))
            for name, view in VIEWS.items()
        }

    def __getitem__(self, view: str) -> Served:
        """What scores a view now. Raises KeyError for one that does not exist."""
        return self._served[view]

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))

    def version(self, view: str) -> str:
        """The model that scores a view now."""
        return self._served[view].model

    def refresh(self) -> None:
        """Load what is new; called from time to time, outside the loop that answers requests."""
        learned = self._checkpoint.state().views
        self.closed = {name: state.closed_until for name, state in learned.items()}
        folder = self._config.home / "stream" / self._config.loop
        for name, served in self._served.items():
            found = self._models(served.view)
            if found.model is None:
                if found.detail != served.detail:
                    self._set(name, "", found.state, found.detail, None)
                continue
            if found.load is not None:
                if found.model != served.model:
                    scorer = found.load()
                    self._set(name, found.model, found.state, found.detail, scorer)
                elif (found.state, found.detail) != (served.state, served.detail):
                    self._set(name, served.model, found.state, found.detail, served.scorer)
                continue
            state = learned.get(name)
            file = state.scorer if state is not None else None
            if file is None or file == served.model:
                continue
            try:
                scorer = Scorer.load(served.view, folder / file)
            except (FileNotFoundError, ModelFileError):
                continue  # the stream has moved on: there is a newer one the next time
            warm = scorer.warm
            detail = "what the stream has learned" if warm else "the stream is still learning"
            self._set(name, file, OK if warm else THRESHOLDS, detail, scorer)

        self.ready = True

    def _set(self, name: str, model: str, state: str, detail: str, scorer: Scorer | None) -> None:
        before = self._served[name]
        self._served[name] = Served(before.view, model, state, detail, scorer, before.ladders)
