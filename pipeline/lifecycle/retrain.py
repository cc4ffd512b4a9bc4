"""Train a challenger, let it shadow the champion, and promote it only if nothing becomes worse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from features.catalogue import VIEWS
from features.view import FeatureView
from models.registry import CHAMPION, Registry, RegistryError, Version
from pipeline.files import InputError
from pipeline.lake import Lake, LakeError
from pipeline.lifecycle.champion import SETTLED, Champion, champion, settle
from pipeline.lifecycle.enlist import (
    BusyError,
    Origin,
    enlist,
    exclusive,
    fingerprint,
    open_registry,
    user,
)
from pipeline.lifecycle.incidents import no_incidents, read_incidents, without
from pipeline.lifecycle.outcome import Outcome, What
from pipeline.lifecycle.promotion import judge, shadow
from pipeline.lifecycle.train import learn, model_path
from pipeline.scoring.scorer import Scorer

__all__ = ["Retraining"]

Progress = Callable[[float], None]
HELD_OUT = 0.2
LEAST_HELD_OUT = 1_000
GROWTH = 0.1
SAME = "same lake, code and parameters"


@dataclass(frozen=True)
class Retraining:
    """How models are made and replaced.

    Parameters
    ----------
    home : Path
        Where models are kept, and the locks.
    who : str
        For the audit trail.
    incidents : polars.DataFrame
        `pipeline.lifecycle.incidents.INCIDENT` columns. A challenger does not learn their windows;
        those that begin in the held-out windows are to be found.
    budget : float
        Alerts a day of a view.
    every : timedelta
        Age at which a model is due to be replaced.
    """

    lake: Lake
    home: Path
    registry: Registry
    who: str
    incidents: pl.DataFrame = field(default_factory=no_incidents)
    budget: float = 1.0
    every: timedelta = timedelta(days=1)
    seed: int = 0

    @classmethod
    def of(
        cls,
        home: Path,
        uri: str | None = None,
        hours: float = 24.0,
        incidents: Path | None = None,
        budget: float = 1.0,
        seed: int = 0,
    ) -> Retraining:
        """What a command line asks for: the lake below ``home``, incidents from a file."""
        known = no_incidents() if incidents is None else read_incidents(incidents)
        lake, registry, every = (
            Lake(home / "lake"),
            open_registry(home, uri),
            timedelta(hours=hours),
        )
        return cls(lake, home, registry, user(), known, budget, every, seed)

    def run(
        self,
        view: FeatureView,
        *,
        now: datetime,
        due_only: bool = False,
        progress: Progress = lambda share: None,
    ) -> Outcome:
        """Make a challenger and judge it; run twice, or twice at once, there is still only one.

        It learns the history but the newest fifth. The champion follows the stream to where the
        challenger stands; then both score what neither has learned. A run that died is finished.

        Parameters
        ----------
        due_only : bool
            Do nothing unless the last model is as old as ``every``, or the lake has since grown
            by a tenth.

        Returns
        -------
        Outcome
            Never an error: what went wrong is told in it.
        """
        try:
            with exclusive(self.home, view):
                return self._run(view, now, due_only, progress)
        except BusyError as error:
            return Outcome(view.name, "busy", str(error))
        except RegistryError as error:
            return Outcome(view.name, "unreachable", str(error))
        except (InputError, LakeError) as error:
            return Outcome(view.name, "unusable", str(error))

    def run_all(
        self,
        views: Sequence[FeatureView],
        *,
        clock: Callable[[], datetime],
        due_only: bool = False,
        progress: Callable[[str, float], None] = lambda step, share: None,
    ) -> list[Outcome]:
        """`run` each view, by default each that has windows in the lake."""
        chosen = views or [VIEWS[name] for name in self.lake.views() if name in VIEWS]
        return [
            self.run(view, now=clock(), due_only=due_only, progress=partial(progress, view.name))
            for view in chosen
        ]

    def train(
        self,
        view: FeatureView,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        now: datetime,
        progress: Progress = lambda share: None,
    ) -> tuple[Scorer, Outcome]:
        """Train on all of the history, keep the file, and register it; the first is champion.

        The outcome tells if it could not be registered: the file is there all the same.

        Raises
        ------
        InputError, LakeError
            There are too few windows, or none.
        """
        path = model_path(self.home, view)
        lake_version = self.lake.version(view.name)
        windows = self.lake.windows(view.name, since, until, version=lake_version)
        scorer = learn(view, windows, seed=self.seed, progress=progress)
        scorer.save(path)
        asked = {"train": [since, until], "lake": lake_version, "seed": self.seed}
        mark = fingerprint(view, no_incidents(), asked)
        end = windows["start"][-1] + view.every
        origin = self._origin(mark, windows, windows, end, lake_version, now)
        try:
            with exclusive(self.home, view):
                return scorer, self._register(view, path, origin, now)
        except BusyError as error:
            return scorer, Outcome(view.name, "busy", str(error))
        except RegistryError as error:
            return scorer, Outcome(view.name, "unreachable", str(error))

    def _register(self, view: FeatureView, path: Path, origin: Origin, now: datetime) -> Outcome:
        versions = self.registry.versions(view.name)
        if same := _marked(versions, origin.fingerprint):
            return Outcome(view.name, "unchanged", SAME, same.number)
        first = CHAMPION not in self.registry.aliases(view.name)
        version = enlist(
            view,
            path,
            self.registry,
            origin,
            decision="promote" if first else "keep",
            why="the first model" if first else "trained by hand, not judged",
            metrics={},
        )
        return self._settle(view, version, now)

    def _run(self, view: FeatureView, now: datetime, due_only: bool, progress: Progress) -> Outcome:
        versions = self.registry.versions(view.name)
        if unsettled := [version for version in versions if SETTLED not in version.tags]:
            return [self._settle(view, version, now) for version in unsettled][-1]
        if due_only and versions and (reason := self._not_due(view, versions[-1], now)):
            return Outcome(view.name, "not due", reason)
        lake_version = self.lake.version(view.name)
        asked = {"lake": lake_version, "budget": self.budget, "seed": self.seed}
        mark = fingerprint(view, self.incidents, asked)
        if same := _marked(versions, mark):
            return Outcome(view.name, "unchanged", SAME, same.number)
        windows = self.lake.windows(view.name, version=lake_version)
        served = champion(view, self.registry, self.home)
        learned = _learned_until(served, versions)
        cut = windows["start"][int((1 - HELD_OUT) * len(windows))] if len(windows) else now
        cut = max(cut, learned) if learned else cut
        unseen = windows.filter(pl.col("start") >= cut)
        if len(unseen) < LEAST_HELD_OUT:
            short = (
                f"{len(unseen):,} windows that no model has learned; expected {LEAST_HELD_OUT:,}"
            )
            return Outcome(view.name, "not due", short)
        history = without(windows.filter(pl.col("start") < cut), self.incidents)
        challenger = learn(view, history, seed=self.seed, progress=progress)
        with TemporaryDirectory() as folder:
            # Saved first: to shadow is to learn the unseen windows.
            file = Path(folder, "model.npz")
            challenger.save(file)
            if learned and served.scorer:
                served.scorer.run(history.filter(pl.col("start") >= learned))
                rivals = [challenger, served.scorer]
            else:
                rivals = [challenger]
            figures = shadow(view, rivals, unseen, self.incidents, budget=self.budget)
            metrics = figures[0].metrics("challenger")
            promote, why = True, f"nothing to beat: {served.detail}"
            if len(figures) == 2:
                decision = judge(figures[1], figures[0], budget=self.budget)
                promote, why = decision.promote, decision.why
                metrics |= figures[1].metrics("champion") | decision.metrics
            version = enlist(
                view,
                file,
                self.registry,
                self._origin(mark, windows, history, cut, lake_version, now),
                decision="promote" if promote else "keep",
                why=why,
                metrics=metrics,
            )
        return self._settle(view, version, now)

    def _settle(self, view: FeatureView, version: Version, now: datetime) -> Outcome:
        settle(self.registry, version, who=self.who, now=now)
        champion(view, self.registry, self.home)
        what: What = "promoted" if version.tags["decision"] == "promote" else "kept"
        return Outcome(view.name, what, version.tags["why"], version.number)

    def _origin(
        self,
        mark: str,
        windows: pl.DataFrame,
        history: pl.DataFrame,
        until: datetime,
        lake_version: int,
        now: datetime,
    ) -> Origin:
        return Origin(
            fingerprint=mark,
            since=windows["start"][0].isoformat(),
            until=until.isoformat(),
            windows=len(history),
            lake_windows=len(windows),
            lake_until=windows["end"][-1].isoformat(),
            lake_version=lake_version,
            seed=self.seed,
            trained=now.isoformat(),
        )

    def _not_due(self, view: FeatureView, last: Version, now: datetime) -> str | None:
        """Why nothing is due, or None if it is; a challenger that was refused counts as a try."""
        then = datetime.fromisoformat(last.tags["lake_until"])
        newer = self.lake.scan(view.name, since=then, columns=[])
        grown = newer.select(pl.len()).collect().item()
        if not grown:
            return f"no new windows since version {last.number}"
        age = now - datetime.fromisoformat(last.tags["trained"])
        share = grown / int(last.tags["lake_windows"])
        if age >= self.every or share >= GROWTH:
            return None
        return f"version {last.number} is {age} old, and the lake has grown by {share:.1%} since"


def _marked(versions: list[Version], mark: str) -> Version | None:
    return next((version for version in versions if version.tags["fingerprint"] == mark), None)


def _learned_until(served: Champion, versions: list[Version]) -> datetime | None:
    """Up to when the champion has learned, or None if there is nothing to compare with."""
    for version in versions:
        if served.scorer is not None and version.number == served.version:
            return datetime.fromisoformat(version.tags["until"])
    return None
