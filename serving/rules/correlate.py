"""Correlations: what several rules say together, in an order, in number, or for the first time.

The raw material are breaches past their hold-down whose value breaks the limit now; silent ladders
exist to be it. A window is a span of time, so its breach happened somewhere within it: windows
that overlap could have come in either order, and are taken in the one that is asked for; the time
between two is the least that it could have been. What comes late is put where its time belongs, so
the answer does not depend on the order of views.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from features.catalogue import VIEWS
from serving.alerts.muting import Inhibition
from serving.rules.breach import Breach
from serving.rules.episodes import Episode, Group
from serving.rules.hold import memory_key, named_by
from serving.rules.rule import GROUPS, Correlation, Pack

__all__ = ["CORRELATION", "Correlator", "inhibitions"]

CORRELATION = "correlation"
"""The view of what correlations breach."""
EVERYWHERE = "everywhere"
LONGEST_HOLD = timedelta(hours=1)
"""A correlation is over when nothing more came for its own time, or for this long."""
MOST_GROUPS = 50_000
"""Groups that a correlation remembers; the one heard of longest ago goes first."""


class Correlator:
    """All correlations of all packs, and what each has seen of each group of entities.

    Parameters
    ----------
    packs : iterable of Pack
        A correlation may name rules, the higher rungs of whose ladders count too, and
        correlations that come before it.
    actor : callable, optional
        Who is behind an entity, such as the account behind a key; see
        `serving.rules.actors.Actors`.
    """

    def __init__(
        self, packs: Iterable[Pack], *, actor: Callable[[str], str] = lambda name: name
    ) -> None:
        self._actor = actor
        packs = tuple(packs)
        at_or_above = _at_or_above(packs)
        self._wanted: dict[str, list[tuple[Correlation, int]]] = defaultdict(list)
        self._all: dict[str, Correlation] = {}
        self._groups: dict[str, dict[str, Group]] = {}
        self._begun: dict[str, datetime] = {}
        self._touched: set[tuple[str, str]] = set()
        for correlation in (one for pack in packs for one in pack.correlations):
            self._all[correlation.id] = correlation
            self._groups[correlation.id] = {}
            for step, named in enumerate(correlation.rules):
                for rule in at_or_above.get(named, (named,)):
                    self._wanted[rule].append((correlation, step))

    def breaches(self, found: Sequence[Breach], *, at: datetime) -> list[Breach]:
        """Breaches of correlations that follow from new breaches.

        Parameters
        ----------
        found : sequence of Breach
            In order of time; those that are pending count for nothing.
        at : datetime
            End of the newest window that was judged, aware UTC.
        """
        joined = [new for breach in found if _counts(breach) for new in self._follow(breach)]
        for name, groups in self._groups.items():
            self._forget(self._all[name], groups, at)
        return joined

    def _follow(self, breach: Breach) -> Iterator[Breach]:
        """What follows from a breach, and what follows from that."""
        for new in list(self._take(breach)):
            yield new
            yield from self._follow(new)

    def _take(self, breach: Breach) -> Iterator[Breach]:
        steps: dict[str, tuple[Correlation, list[int]]] = {}
        for correlation, step in self._wanted.get(breach.rule, ()):
            steps.setdefault(correlation.id, (correlation, []))[1].append(step)
        for correlation, which in steps.values():
            named = self._group(correlation, breach)
            if named is None:
                continue
            groups = self._groups[correlation.id]
            group = groups.pop(named, None) or Group()
            groups[named] = group
            self._touched.add((correlation.id, named))
            complete = group.take(correlation, breach, which)
            if complete and self._has_watched(correlation, breach):
                held = group.last is not None and breach.end - group.last <= _hold(correlation)
                group.since = group.since if held else breach.end
                group.last = max(breach.end, group.last or breach.end)
                yield _joined(correlation, named, group, breach, complete)

    def _has_watched(self, correlation: Correlation, breach: Breach) -> bool:
        """Whether a first can be told from what was merely not seen before."""
        if correlation.kind != "first":
            return True
        if correlation.id not in self._begun:
            self._begun[correlation.id] = breach.end
            self._touched.add((correlation.id, ""))
        return breach.end - self._begun[correlation.id] >= correlation.within

    def _group(self, correlation: Correlation, breach: Breach) -> str | None:
        if correlation.by == EVERYWHERE:
            return EVERYWHERE
        if correlation.by == "entity":
            return breach.entity
        if correlation.by == "actor":
            return self._actor(breach.entity.split("|", 1)[0])
        return breach.labels.get(correlation.by)

    def _forget(self, correlation: Correlation, groups: dict[str, Group], at: datetime) -> None:
        patience = correlation.within + LONGEST_HOLD
        left: list[str] = []
        for named, group in groups.items():
            newest = group.newest()
            fresh = newest is not None and at - newest <= patience
            if fresh and len(groups) - len(left) <= MOST_GROUPS:
                break
            left.append(named)
        for named in left:
            del groups[named]
            self._touched.add((correlation.id, named))

    def holds(self, family: str, entity: str, *, at: datetime) -> bool:
        """Whether a correlation was breached for a group, and not too long ago."""
        group = self._groups.get(family, {}).get(entity)
        return (
            group is not None
            and group.last is not None
            and at - group.last <= _hold(self._all[family])
        )

    def state(self) -> dict[str, dict[str, Any] | None]:
        """What changed since the last call, JSON-able; None where forgotten."""
        changed: dict[str, dict[str, Any] | None] = {}
        for name, named in sorted(self._touched):
            key = memory_key(name, named)
            if not named:
                changed[key] = {"begun": self._begun[name].isoformat()}
                continue
            group = self._groups[name].get(named)
            changed[key] = {**group.state(), "entity": named} if group else None
        self._touched.clear()
        return changed

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin again from what `state` gave, all of it put together."""
        self._touched.clear()
        self._begun.clear()
        for groups in self._groups.values():
            groups.clear()
        read: list[tuple[datetime, str, str, Group]] = []
        for key, given in state.items():
            name, named = named_by(key, given)
            if name not in self._all:
                continue
            if not named:
                self._begun[name] = datetime.fromisoformat(given["begun"])
                continue
            group = Group.of_state(given)
            if (newest := group.newest()) is not None:
                read.append((newest, name, named, group))
        for _, name, named, group in sorted(read, key=lambda one: one[:3]):
            self._groups[name][named] = group


def inhibitions(packs: Iterable[Pack]) -> list[Inhibition]:
    """What mutes what, of all packs: for `serving.alerts.engine.AlertEngine`."""
    return [inhibition for pack in packs for inhibition in pack.inhibitions]


def _at_or_above(packs: Iterable[Pack]) -> dict[str, tuple[str, ...]]:
    """Of each rung the ids that say at least as much: its own and those of higher rungs."""
    found: dict[str, tuple[str, ...]] = {}
    for pack in packs:
        for metric in pack.metrics:
            names = tuple(rung.id for rung in metric.rungs)
            found |= {name: names[number:] for number, name in enumerate(names)}
    return found


def _counts(breach: Breach) -> bool:
    """Whether this very window breaks the limit: one on the way back says nothing new."""
    return not breach.pending and breach.broken


def _hold(correlation: Correlation) -> timedelta:
    return min(correlation.within, LONGEST_HOLD)


def _joined(
    correlation: Correlation,
    named: str,
    group: Group,
    last: Breach,
    steps: Sequence[Episode],
) -> Breach:
    """The breach of a correlation; its value is how many windows, entities or steps there were."""
    value = float(len(steps))
    words = {"entity": named, "value": value, "within": _words(correlation.within)}
    return Breach(
        rule=correlation.id,
        requirement=",".join(correlation.requirement),
        view=CORRELATION,
        entity=named,
        start=min(step.start for step in steps),
        end=last.end,
        since=group.since or last.end,
        feature=correlation.kind,
        operator=">=",
        limit=float(correlation.at_least),
        unit="",
        value=value,
        severity=correlation.severity,
        family=correlation.id,
        summary=correlation.summary.format_map(words),
        runbook=correlation.runbook,
        playbook=correlation.playbook,
        labels={
            **_shared(correlation, named, last),
            **correlation.labels,
            "title": correlation.title,
        },
        silent=correlation.silent,
        evidence={"steps": [step.told() for step in steps]},
    )


def _shared(correlation: Correlation, named: str, last: Breach) -> dict[str, str]:
    """The labels that all joined breaches have in common."""
    if correlation.by == "entity":
        columns = VIEWS[last.view].entity if last.view in VIEWS else ()
        return {name: last.labels[name] for name in columns if name in last.labels}
    return {} if correlation.by in GROUPS else {correlation.by: named}


def _words(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds % length == 0:
            count = seconds // length
            return f"{count} {name}{'s' * (count != 1)}"
    return f"{seconds} seconds"
