"""All rules together: windows of a view go in, breaches come out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from serving.rules.breach import Breach
from serving.rules.hold import Hold
from serving.rules.rule import COMPARE, Ladder, Pack, Rung

__all__ = ["RuleBook"]


class RuleBook:
    """Ladders of all packs, and for each rung and entity what the newest windows said.

    Most windows break nothing: they are compared as columns and cost no Python. Only an entity
    that breaks a limit, or did, has a memory.

    Parameters
    ----------
    packs : iterable of Pack
    """

    def __init__(self, packs: Iterable[Pack]) -> None:
        self.packs = tuple(packs)
        self._ladders: dict[str, list[Ladder]] = defaultdict(list)
        for pack in self.packs:
            for ladder in pack.ladders:
                self._ladders[ladder.view].append(ladder)
        self._families = {
            ladder.family: [rung.id for rung in ladder.rungs]
            for pack in self.packs
            for ladder in pack.ladders
        }
        self._holds: dict[tuple[str, str], Hold] = {}
        self.touched: set[tuple[str, str]] = set()

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
        rows = [row for ladder in self._ladders[view] for row in self._judge(ladder, windows)]
        return [breach for _, breach in sorted(rows, key=lambda row: row[0])]

    def _judge(self, ladder: Ladder, windows: pl.DataFrame) -> Iterable[tuple[int, Breach]]:
        values = windows[ladder.feature].to_numpy()
        compare = COMPARE[ladder.operator]
        counted = np.ones(len(windows), dtype=bool)
        for condition in ladder.also:
            other = windows[condition.feature].to_numpy()
            counted &= COMPARE[condition.operator](other, condition.limit)
        # NaN compares false: what is unknown breaks nothing.
        broken = compare(values, ladder.rungs[0].limit) & counted
        known = {entity for rung, entity in self._holds if rung == ladder.rungs[0].id}
        remembered = (
            windows["entity"].is_in(list(known)).to_numpy() if known else np.zeros_like(broken)
        )
        concerned = np.flatnonzero(broken | remembered | _later(windows, broken))
        for row in concerned.tolist():
            window = windows.row(row, named=True)
            value, entity, end = window[ladder.feature], window["entity"], window["end"]
            highest: tuple[Rung, Hold] | None = None
            playbook = ""
            for rung in ladder.rungs:
                key = (rung.id, entity)
                before = self._holds.get(key, Hold())
                if value is None:
                    after = before
                else:
                    after = before.step(
                        broken=bool(counted[row]) and bool(compare(value, rung.limit)),
                        cleared=ladder.cleared(rung, value),
                        end=end,
                        of=ladder.hold,
                        clear_for=ladder.clear_for,
                    )
                self._keep(key, before, after)
                if after.breached:
                    # A playbook of a lower rung goes on when the value climbs past it.
                    playbook = rung.playbook or playbook
                if after.breached or (after.bits and highest is None):
                    highest = (rung, after)
            if highest is not None and value is not None:
                yield row, _breach(ladder, *highest, playbook, window)

    def _keep(self, key: tuple[str, str], before: Hold, after: Hold) -> None:
        if before != after:
            self.touched.add(key)
        if after.idle:
            self._holds.pop(key, None)
        else:
            self._holds[key] = after

    def holds(self, family: str, entity: str) -> bool:
        """Whether any rung of a family is breached, or about to be, for an entity."""
        return any((rung, entity) in self._holds for rung in self._families.get(family, ()))

    def state(self) -> dict[str, dict[str, Any] | None]:
        """What changed since the last call, JSON-able, by ``rung|entity``; None where forgotten."""
        changed: dict[str, dict[str, Any] | None] = {}
        for rung, entity in sorted(self.touched):
            key, hold = f"{rung}|{entity}", self._holds.get((rung, entity))
            if hold is None:
                changed[key] = None
                continue
            since = hold.since.isoformat() if hold.since else None
            changed[key] = {"bits": hold.bits, "clear": hold.clear, "since": since}
        self.touched.clear()
        return changed

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin again from what `state` gave, all of it put together."""
        self.touched.clear()
        self._holds = {}
        for key, given in state.items():
            rung, entity = key.split("|", 1)
            since = datetime.fromisoformat(given["since"]) if given["since"] else None
            self._holds[rung, entity] = Hold(given["bits"], given["clear"], since)


def _later(windows: pl.DataFrame, broken: np.ndarray[Any, np.dtype[np.bool_]]) -> Any:
    """Windows of an entity that breaks a limit somewhere in these: its memory needs them all."""
    if not broken.any():
        return np.zeros_like(broken)
    entities = windows["entity"]
    return entities.is_in(entities.filter(pl.Series(broken)).unique().to_list()).to_numpy()


def _breach(
    ladder: Ladder, rung: Rung, hold: Hold, playbook: str, window: Mapping[str, Any]
) -> Breach:
    said = rung.summary or ladder.summary
    value = float(window[ladder.feature])
    words = {**window, "value": value, "limit": rung.limit, "unit": ladder.unit}
    features = (ladder.feature, *(condition.feature for condition in ladder.also))
    return Breach(
        rule=rung.id,
        requirement=",".join(rung.requirement),
        view=ladder.view,
        entity=window["entity"],
        start=window["start"],
        end=window["end"],
        since=hold.since or window["end"],
        feature=ladder.feature,
        operator=ladder.operator,
        limit=rung.limit,
        unit=ladder.unit,
        value=value,
        severity=rung.severity,
        family=ladder.family,
        summary=said.format_map(words),
        runbook=rung.runbook or ladder.runbook,
        playbook=playbook,
        labels={**ladder.labels, **rung.labels, "title": ladder.title},
        silent=ladder.silent,
        pending=not hold.breached,
        evidence={name: window[name] for name in features},
    )
