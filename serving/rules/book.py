"""All rules together: windows of a view go in, breaches come out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from features.catalogue import VIEWS
from serving.rules.breach import Breach
from serving.rules.burn import Budget
from serving.rules.hold import Hold, memory_key, named_by
from serving.rules.rule import COMPARE, BurnRate, Ladder, Metric, Objective, Pack, Rung

__all__ = ["RuleBook"]

Key = tuple[str, str]
"""A rung and an entity."""
Row = Mapping[str, Any]
Found = tuple[int, Breach]
"""A row and what it breaches."""


class RuleBook:
    """Ladders and objectives of all packs, and for each rung and entity what windows said.

    Most windows break nothing: they are compared as columns and cost no Python. Only an entity
    that breaks a limit, or did, has a memory; once it has had no windows for as long as its view
    remembers entities and the rung looks back, it is forgotten.

    Parameters
    ----------
    packs : iterable of Pack
    """

    def __init__(self, packs: Iterable[Pack]) -> None:
        self.packs = tuple(packs)
        self._metrics: dict[str, list[Ladder | Objective]] = defaultdict(list)
        self._families: dict[str, list[str]] = {}
        self._holds: dict[str, dict[str, Hold]] = {}
        for pack in self.packs:
            for metric in pack.metrics:
                self._metrics[metric.view].append(metric)
                rungs = self._families.setdefault(metric.family, [])
                rungs += [rung.id for rung in metric.rungs]
                self._holds |= {rung.id: {} for rung in metric.rungs}
        self._budgets: dict[Key, Budget] = {}
        self.touched: set[Key] = set()

    def breaches(self, view: str, windows: pl.DataFrame) -> list[Breach]:
        """What holds after each of these windows: of each ladder the highest rung breached.

        Parameters
        ----------
        view : str
        windows : polars.DataFrame
            Windows of the view, sorted by (start, entity), none before those judged earlier.

        Returns
        -------
        list of Breach
            In order of the windows; one for each ladder, entity and window that is breached, or
            ``pending``: broken, but not for long enough yet.
        """
        found: list[Found] = []
        for metric in self._metrics.get(view, ()) if len(windows) else ():
            judge = self._climb if isinstance(metric, Ladder) else self._spend
            found += judge(metric, windows)  # type: ignore[arg-type]
            self._forget(metric, windows["end"][-1])
        return [breach for _, breach in sorted(found, key=lambda row: row[0])]

    def _climb(self, ladder: Ladder, windows: pl.DataFrame) -> Iterator[Found]:
        values = windows[ladder.feature].to_numpy()
        first = ladder.rungs[0]
        counted = _concerns(ladder, windows)
        for condition in ladder.also:
            other = windows[condition.feature].to_numpy()
            counted &= COMPARE[condition.operator](other, condition.limit)
        # NaN compares false: what is unknown breaks nothing.
        broken = COMPARE[ladder.operator_of(first)](values, first.limit) & counted
        for row in self._remembered(ladder, windows, broken).tolist():
            window = windows.row(row, named=True)
            value, entity, end = window[ladder.feature], window["entity"], window["end"]
            highest: tuple[Rung, Hold] | None = None
            playbook = ""
            for rung in ladder.rungs:
                before = self._hold(ladder, rung.id, entity, end)
                after = before.step(
                    broken=value is not None and bool(counted[row]) and ladder.breaks(rung, value),
                    cleared=value is not None and ladder.cleared(rung, value),
                    known=value is not None,
                    end=end,
                    of=rung.hold or ladder.hold,
                    clear_for=ladder.clear_for,
                )
                self._keep((rung.id, entity), after)
                if after.breached:
                    # A playbook of a lower rung goes on when the value climbs past it.
                    playbook = rung.playbook or playbook
                if after.breached or (after.bits and highest is None):
                    highest = (rung, after)
            if highest is not None and value is not None:
                features = (ladder.feature, *(condition.feature for condition in ladder.also))
                evidence = {name: window[name] for name in features}
                yield row, _breach(ladder, *highest, playbook, window, value, evidence)

    def _spend(self, objective: Objective, windows: pl.DataFrame) -> Iterator[Found]:
        for row in np.flatnonzero(_concerns(objective, windows)).tolist():
            window = windows.row(row, named=True)
            good, of = window[objective.feature], window[objective.weight]
            if good is None or not of:
                continue
            entity, end = window["entity"], window["end"]
            highest: tuple[BurnRate, Hold, float] | None = None
            playbook = ""
            for rung in objective.rungs:
                budget = self._budgets.setdefault((rung.id, entity), Budget())
                rate = budget.add(rung, objective.objective, window["start"], good, of)
                broken = rate > rung.limit
                after = self._hold(objective, rung.id, entity, end).step(
                    broken=broken, cleared=not broken, known=True, end=end, of=(1, 1), clear_for=1
                )
                self._keep((rung.id, entity), after)
                self.touched.add((rung.id, entity))
                if after.breached:
                    playbook = rung.playbook or playbook
                    highest = rung, after, rate
            if highest is not None:
                rung, after, rate = highest
                evidence = {objective.feature: good, objective.weight: of}
                yield row, _breach(objective, rung, after, playbook, window, rate, evidence)

    def _remembered(self, ladder: Ladder, windows: pl.DataFrame, broken: Any) -> Any:
        """Rows of entities that break a limit somewhere in these windows, or did before."""
        known = {entity for rung in ladder.rungs for entity in self._holds[rung.id]}
        if not known and not broken.any():
            return np.flatnonzero(broken)
        entities = windows["entity"]
        known.update(entities.filter(pl.Series(broken)).unique().to_list())
        return np.flatnonzero(entities.is_in(list(known)).to_numpy())

    def _hold(self, metric: Metric, rung: str, entity: str, end: datetime) -> Hold:
        hold = self._holds[rung].get(entity)
        if hold is None or hold.at is None or end - hold.at > _patience(metric):
            return Hold()
        return hold

    def _keep(self, key: Key, after: Hold) -> None:
        rung, entity = key
        holds = self._holds[rung]
        before = holds.pop(entity, None)
        if not after.idle:
            # The one heard of last comes last.
            holds[entity] = after
        if not after.idle or before is not None:
            self.touched.add(key)

    def _forget(self, metric: Ladder | Objective, newest: datetime) -> None:
        """Forget entities of which nothing was heard for too long."""
        for rung in metric.rungs:
            holds, left = self._holds[rung.id], []
            for entity, hold in holds.items():
                if hold.at is not None and newest - hold.at <= _patience(metric):
                    break
                left.append(entity)
            for entity in left:
                del holds[entity]
                self.touched.add((rung.id, entity))
            if isinstance(rung, BurnRate):
                for key, budget in list(self._budgets.items()):
                    if key[0] == rung.id and budget.over(rung, newest):
                        del self._budgets[key]
                        self.touched.add(key)

    def holds(self, family: str, entity: str) -> bool:
        """Whether any rung of a family is breached, or about to be, for an entity."""
        return any(entity in self._holds[rung] for rung in self._families.get(family, ()))

    def state(self) -> dict[str, dict[str, Any] | None]:
        """What changed since the last call, JSON-able, by ``rung|entity``; None where forgotten."""
        changed: dict[str, dict[str, Any] | None] = {}
        for rung, entity in sorted(self.touched):
            key = memory_key(rung, entity)
            hold, budget = self._holds[rung].get(entity), self._budgets.get((rung, entity))
            if hold is None and budget is None:
                changed[key] = None
                continue
            kept = (hold or Hold()).state()
            if budget is not None:
                kept["budget"] = budget.state()
            if named_by(key, {})[1] != entity:
                kept["entity"] = entity
            changed[key] = kept
        self.touched.clear()
        return changed

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin again from what `state` gave, all of it put together.

        What is there of rules that no pack has any more is left out.
        """
        self.touched.clear()
        self._budgets.clear()
        for holds in self._holds.values():
            holds.clear()
        known = [(*named_by(key, given), given) for key, given in state.items()]
        for rung, entity, given in sorted(known, key=lambda one: one[2]["at"] or ""):
            if rung in self._holds:
                if not (hold := Hold.of_state(given)).idle:
                    self._holds[rung][entity] = hold
                if "budget" in given:
                    self._budgets[rung, entity] = Budget.of_state(given["budget"])


def _patience(metric: Metric) -> timedelta:
    """How long after an entity's last window its memory counts."""
    view, longest = VIEWS[metric.view], 1
    if isinstance(metric, Ladder):
        longest = max([metric.clear_for] + [(r.hold or metric.hold)[1] for r in metric.rungs])
    return view.forget_after + longest * view.every


def _concerns(metric: Metric, windows: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Windows of the entities and times that the rules are about."""
    concerned = np.ones(len(windows), dtype=np.bool_)
    if metric.only:
        concerned &= windows["entity"].str.contains(f"^(?:{metric.only})$").to_numpy()
    if metric.between:
        at = windows["start"].dt.strftime("%H:%M").to_numpy()
        begin, end = metric.between.split("-")
        concerned &= (at >= begin) & (at < end)
    return concerned


def _breach(
    metric: Ladder | Objective,
    rung: Rung | BurnRate,
    hold: Hold,
    playbook: str,
    window: Row,
    value: float,
    evidence: dict[str, Any],
) -> Breach:
    ladder = metric if isinstance(metric, Ladder) else None
    columns = VIEWS[metric.view].entity
    parts = window["entity"].rsplit("|", len(columns) - 1)
    unit = ladder.unit if ladder else "times"
    words = {"entity": window["entity"], "value": value, "limit": rung.limit, "unit": unit}
    return Breach(
        rule=rung.id,
        requirement=",".join(rung.requirement),
        view=metric.view,
        entity=window["entity"],
        start=window["start"],
        end=window["end"],
        since=hold.since or window["end"],
        feature=metric.feature,
        operator=ladder.operator_of(rung) if ladder and isinstance(rung, Rung) else ">",
        limit=rung.limit,
        unit=unit,
        value=float(value),
        severity=rung.severity,
        family=metric.family,
        summary=(rung.summary or metric.summary).format_map(words),
        runbook=rung.runbook or metric.runbook,
        playbook=playbook,
        labels={
            **dict(zip(columns, parts, strict=False)),
            **metric.labels,
            **rung.labels,
            "title": metric.title,
        },
        silent=metric.silent,
        pending=not hold.breached,
        evidence=evidence,
    )
