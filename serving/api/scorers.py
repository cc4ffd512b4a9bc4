"""What scores requests: one scorer a view, loaded from the champion, never learning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from features.catalogue import VIEWS
from features.view import FeatureView
from models.persistence import ModelFileError
from pipeline.config import Config
from pipeline.scoring.scorer import Scorer
from pipeline.stream.adopt import OK, THRESHOLDS
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.live import models_of
from serving.rules.rule import Ladder, Pack

__all__ = ["Scorers", "Served"]


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
