"""Which model a view of the loop takes up: the registry's champion, a file, or none yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from features.view import FeatureView
from models.persistence import ModelFileError
from models.registry import CHAMPION, Registry, RegistryError
from pipeline.files import digest
from pipeline.lake import Lake
from pipeline.lifecycle.champion import champion
from pipeline.scoring.scorer import Scorer
from pipeline.stream.checkpoint import Adoption

if TYPE_CHECKING:
    from pipeline.stream.follow import Follower

__all__ = [
    "COLD",
    "OK",
    "THRESHOLDS",
    "Adopter",
    "Found",
    "Models",
    "begin_cold",
    "from_files",
    "from_registry",
]

OK = "ok"
THRESHOLDS = "degraded: thresholds only"
COLD = "cold"


@dataclass(frozen=True)
class Found:
    """What may score a view.

    Parameters
    ----------
    model : str or None
        Its name: another name is another model. None where there is none.
    state, detail : str
        As in `pipeline.lifecycle.champion.Champion`.
    load : callable or None
        Gives the scorer; None for one that begins to learn, or where nothing can score.
    """

    model: str | None
    state: str
    detail: str
    load: Callable[[], Scorer] | None = None


Models: TypeAlias = Callable[[FeatureView], Found]
"""Asked for each view at the start and from time to time; never raises."""


def begin_cold(view: FeatureView) -> Found:
    """A scorer that knows nothing and learns from the stream."""
    return Found(COLD, OK, "learns from the stream")


def from_files(path: Callable[[FeatureView], Path]) -> Models:
    """Models in files, `pipeline.lifecycle.train.model_path` names them; a new file is a new model.

    A view without a file begins cold; a file that is damaged, of other features or too cold to
    score leaves its view with thresholds only.
    """
    known: dict[Path, tuple[tuple[int, int], str]] = {}

    def load(view: FeatureView, file: Path) -> Scorer:
        scorer = Scorer.load(view, file)
        if not scorer.fitted:
            raise ModelFileError(f"{file} is cold: it learned too little; expected a trained model")
        return scorer

    def found(view: FeatureView) -> Found:
        file = path(view)
        try:
            stat = file.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if file not in known or known[file][0] != stamp:
                load(view, file)
                known[file] = (stamp, digest([file])[:12])
        except FileNotFoundError:
            return begin_cold(view)
        except (ModelFileError, OSError) as error:
            return Found(None, THRESHOLDS, str(error))
        return Found(known[file][1], OK, file.name, lambda: load(view, file))

    return found


def from_registry(registry: Registry, home: Path) -> Models:
    """The registry's champions; a view that never had one begins cold.

    A champion is loaded when it is new: asking costs one look at its alias.
    """
    known: dict[str, tuple[int, Found]] = {}

    def load(view: FeatureView) -> Scorer:
        now = champion(view, registry, home)
        if now.scorer is None:
            raise ModelFileError(now.detail)
        return now.scorer

    def found(view: FeatureView) -> Found:
        try:
            version = registry.aliased(view.name, CHAMPION)
        except RegistryError:
            version = None
        else:
            if version is None:
                return begin_cold(view)
        if version is not None and view.name in known and known[view.name][0] == version.number:
            return known[view.name][1]
        now = champion(view, registry, home)
        if now.scorer is None:
            return Found(None, THRESHOLDS, now.detail)
        # Loaded anew for who takes it up: a scorer learns.
        told = Found(f"version {now.version}", now.state, now.detail, lambda: load(view))
        if version is not None and now.version == version.number:
            known[view.name] = version.number, told
        return told

    return found


class Adopter:
    """Asks from time to time for the models of all views, and readies those that are new.

    Parameters
    ----------
    followers : mapping of view name to Follower
    models : callable
    lake : Lake
        Gives the windows that a new model has not seen.
    every : timedelta
        How often to ask.
    """

    def __init__(
        self, followers: Mapping[str, Follower], models: Models, lake: Lake, every: timedelta
    ) -> None:
        self._followers = followers
        self._models = models
        self._lake = lake
        self._every = every
        self._asked: datetime | None = None

    def forget(self) -> None:
        """Ask at the next occasion."""
        self._asked = None

    def due(self, now: datetime) -> dict[str, Adoption]:
        """The models that views have not taken up yet, each caught up with the lake."""
        if self._asked is not None and now < self._asked + self._every:
            return {}
        self._asked = now
        chosen = {
            name: self._adoption(follower, self._models(follower.view))
            for name, follower in self._followers.items()
        }
        return {name: adoption for name, adoption in chosen.items() if adoption is not None}

    def _adoption(self, follower: Follower, found: Found) -> Adoption | None:
        if found.model is None:
            # A scorer at work goes on; that there is none is said once.
            if follower.scorer is not None or follower.detail == found.detail:
                return None
            return Adoption(None, None, found.state, found.detail)
        if found.model == follower.model:
            return None
        if found.load is None:
            # What was learned from the stream stays until there is something better.
            fresh = follower.model is None and follower.windows == 0
            return Adoption(found.model, None, found.state, found.detail) if fresh else None
        try:
            scorer = found.load()
        except (ModelFileError, OSError):
            # It went since it was found; the next look says how things stand.
            return None
        file = follower.prepare(scorer, found.model, self._missed(follower, scorer.until))
        return Adoption(found.model, file, found.state, found.detail)

    def _missed(self, follower: Follower, since: datetime) -> Iterator[pl.DataFrame]:
        """Windows in the lake that a model has not seen, a day at a time."""
        until = follower.windower.state.closed_until
        if until is None or follower.view.name not in self._lake.views():
            return
        while since < until:
            end = min(since + timedelta(days=1), until)
            yield self._lake.windows(follower.view.name, since, end)
            since = end
