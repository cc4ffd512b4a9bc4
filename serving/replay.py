"""One alert judged again from what was kept: the same window, the same scorer, the same rules.

The score is made anew by the scorer as it was before the step, over all the windows of that step;
the rules see the entity's windows from long enough before. Every number must come out the same to
the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.catalogue import VIEWS
from models.persistence import ModelFileError
from pipeline.lake import Lake
from pipeline.lake.schema import LakeError
from pipeline.scoring.scorer import Scorer
from serving.alerts.learned import changes
from serving.alerts.lifecycle import AlertError
from serving.alerts.witness import numbers_of
from serving.backtest import STEP
from serving.past import Past, past_of
from serving.rules.actors import Actors
from serving.rules.book import RuleBook
from serving.rules.breach import Breach
from serving.rules.correlate import CORRELATION, Correlator
from serving.rules.rule import BurnRate, Correlation, Pack
from serving.store.tables import alerts

__all__ = ["Replay", "replay"]

Row = Mapping[str, Any]
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
LONGEST = 63
"""Windows that a rung remembers at most."""
SAME = ("value", "limit", "operator", "severity", "since", "pending")


@dataclass(frozen=True)
class Replay:
    """What came of it.

    Parameters
    ----------
    checked : tuple of str
        What came out the same.
    differences : tuple of str
        What did not.
    missing : tuple of str
        What could not be judged again, and why.
    """

    alert: str
    checked: tuple[str, ...]
    differences: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def code(self) -> int:
        """0 the same, 1 something differs, 2 something is gone."""
        return 1 if self.differences else 2 if self.missing else 0

    def text(self) -> str:
        """The same for people."""
        word = {0: "the same", 1: "DIFFERENT", 2: "incomplete"}[self.code]
        lines = [f"alert {self.alert}: {word}"]
        lines += [f"  differs: {one}" for one in self.differences]
        lines += [f"  missing: {one}" for one in self.missing]
        return "\n".join([*lines, *(f"  same:    {one}" for one in self.checked)])


@dataclass
class _Findings:
    """Gathers what is found."""

    checked: list[str]
    differences: list[str]
    missing: list[str]

    def compare(self, what: str, kept: object, made: object) -> bool:
        if kept != made:
            self.differences.append(f"{what} was {kept!r}, is {made!r}")
        return kept == made


def replay(
    connection: sa.Connection, alert: str, *, lake: Lake, witness: Path, packs: Sequence[Pack]
) -> Replay:
    """Judge an alert again.

    Parameters
    ----------
    witness : Path
        The folder of `serving.alerts.witness.Witness`.
    packs : sequence of Pack
        The rules as they are now: a limit that was changed since is a difference.

    Raises
    ------
    AlertError
        There is no such alert.
    """
    row = connection.execute(sa.select(alerts).where(alerts.c.id == alert)).mappings().one_or_none()
    if row is None:
        raise AlertError(f"no alert {alert}")
    found = _Findings([], [], [])
    evidence = row["evidence"]
    if evidence.get("window"):
        _window(found, row["view"], evidence["window"], lake)
    again: pl.DataFrame | None = None
    if "score" in evidence:
        again = _score(found, row["view"], evidence, lake, witness)
    elif row["per_day"] is not None and row["family"] == "rare":
        found.missing.append("the score: no evidence of it was kept")
    for breach in row["breaches"]:
        if breach["rule"].startswith("learned."):
            _learned(found, row["view"], breach, again)
        else:
            _rule(found, breach, lake, _Rules(packs, Actors.of(connection)))
    if not (found.checked or found.differences or found.missing):
        found.missing.append("anything to judge: it came from another system")
    return Replay(alert, tuple(found.checked), tuple(found.differences), tuple(found.missing))


def _window(found: _Findings, view: str, kept: Row, lake: Lake) -> None:
    start = datetime.fromisoformat(kept["start"])
    windows = _past(lake, view, start, start + MICROSECOND)
    mine = None if windows is None else windows.filter(pl.col("entity") == kept["entity"])
    if mine is None or mine.is_empty():
        found.missing.append("the window: the lake has it no more")
        return
    made = numbers_of(mine.row(0, named=True))
    amounts = {name: kept.get(name) for name in made}
    same = [found.compare(f"window: {name}", amounts[name], made[name]) for name in made]
    if all(same):
        found.checked.append(f"window of {kept['start']}: {len(made)} features")


def _score(
    found: _Findings, view: str, evidence: Row, lake: Lake, witness: Path
) -> pl.DataFrame | None:
    kept, window = evidence["score"], evidence["window"]
    if not kept.get("scorer"):
        found.missing.append("the score: the scorer that made it was not kept")
        return None
    try:
        scorer = Scorer.load(VIEWS[view], witness / kept["scorer"])
    except FileNotFoundError:
        found.missing.append(f"the score: {kept['scorer']} is kept no more")
        return None
    except ModelFileError as error:
        found.missing.append(f"the score: {error}")
        return None
    since, until = (datetime.fromisoformat(kept[name]) for name in ("since", "until"))
    windows = _past(lake, view, since, until + MICROSECOND)
    if windows is None or len(windows) != kept["windows"]:
        count = 0 if windows is None else len(windows)
        found.missing.append(f"the score: of {kept['windows']} windows the lake has {count}")
        return None
    scores = scorer.run(windows)
    mine = scores.filter(
        pl.col("entity") == window["entity"],
        pl.col("start") == datetime.fromisoformat(window["start"]),
    )
    made = numbers_of(mine.row(0, named=True))
    same = [found.compare(f"score: {n}", kept["numbers"].get(n), made[n]) for n in made]
    if all(same):
        found.checked.append(f"score by {kept['model']}, {kept['scorer']}: {len(made)} numbers")
    return mine


def _learned(found: _Findings, view: str, kept: Row, scores: pl.DataFrame | None) -> None:
    if scores is None:
        found.missing.append(f"{kept['rule']}: the scores that it reads")
        return
    _match(found, kept, changes(VIEWS[view], scores))


def _rule(found: _Findings, kept: Row, lake: Lake, rules: _Rules) -> None:
    views, back = rules.needs(kept["rule"])
    if not views:
        found.missing.append(f"{kept['rule']}: no pack has this rule any more")
        return
    end = datetime.fromisoformat(kept["end"])
    since = min(datetime.fromisoformat(kept[name]) for name in ("since", "start")) - back
    direct = kept["view"] != CORRELATION
    past = []
    for view in sorted(views):
        try:
            one = past_of(lake, VIEWS[view], since, end)
        except LakeError as error:
            found.missing.append(f"{kept['rule']}: {error}")
            return
        if direct:
            mine = (one.windows["entity"] == kept["entity"]).to_numpy()
            one = Past(one.view, one.windows.filter(mine), one.scores.filter(mine))
        past.append(one)
    _match(found, kept, rules.judge(past, since, end, apart=direct))


def _match(found: _Findings, kept: Row, made: Sequence[Breach] | Iterator[Breach]) -> None:
    """Find the breach among those that were made anew, and compare."""
    wanted = (kept["rule"], kept["entity"], datetime.fromisoformat(kept["end"]))
    again = [one for one in made if (one.rule, one.entity, one.end) == wanted]
    if not again:
        found.differences.append(f"{kept['rule']} does not hold at {kept['end']}")
        return
    fields = {**again[-1].__dict__, "since": again[-1].since.isoformat()}
    same = [found.compare(f"{kept['rule']}: {name}", kept[name], fields[name]) for name in SAME]
    if all(same):
        unit = kept["unit"] and f" {kept['unit']}"
        found.checked.append(
            f"{kept['rule']}: {kept['value']:g}{unit} {kept['operator']} {kept['limit']:g}{unit}"
        )


class _Rules:
    """The rules that are there now, and how far back each of them looks."""

    def __init__(self, packs: Sequence[Pack], actors: Actors) -> None:
        self._packs, self._actors = packs, actors
        self._views: dict[str, tuple[str, timedelta]] = {}
        self._joined: dict[str, Correlation] = {}
        for pack in packs:
            for metric in pack.metrics:
                for rung in metric.rungs:
                    held = LONGEST * VIEWS[metric.view].every
                    back = rung.long if isinstance(rung, BurnRate) else held
                    self._views[rung.id] = metric.view, DAY + 2 * back
            self._joined |= {one.id: one for one in pack.correlations}

    def needs(self, rule: str) -> tuple[set[str], timedelta]:
        """Views that a rule reads, and how long before a breach to begin."""
        if rule in self._views:
            view, back = self._views[rule]
            return {view}, back
        views: set[str] = set()
        back = timedelta(0)
        if rule in self._joined:
            for named in self._joined[rule].rules:
                more, longest = self.needs(named)
                views, back = views | more, max(back, longest)
            back += self._joined[rule].within
        return views, back

    def judge(
        self, past: Sequence[Past], since: datetime, until: datetime, *, apart: bool
    ) -> Iterator[Breach]:
        """What the rules say of the past, in the order of time."""
        book, correlator = RuleBook(self._packs), Correlator(self._packs, actor=self._actors)
        steps = -((since - until) // STEP)
        times = [until - number * STEP for number in range(steps, -1, -1)]
        parts = zip(*(one.steps(times, 0.0) for one in past), strict=True)
        for now, closed in zip(times[1:], parts, strict=True):
            for one in closed:
                if one.windows.is_empty():
                    continue
                direct = book.breaches(one.view.name, one.windows)
                yield from direct
                if not apart:
                    certain = [breach for breach in direct if not breach.pending]
                    yield from correlator.breaches(certain, at=now)


def _past(lake: Lake, view: str, since: datetime, until: datetime) -> pl.DataFrame | None:
    try:
        return past_of(lake, VIEWS[view], since, until).windows
    except LakeError:
        return None
