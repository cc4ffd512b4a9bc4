"""An entity's risk, 0 to 100, from what its scores and breaches said over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from models.detector import StateError, Vector
from models.links import Links

__all__ = ["LINKED", "Contribution", "Risk", "RiskBook", "RiskInput", "severity"]

LINKED = "linked"
"""The source of what linked entities hand on."""

MOST_INPUTS = 32
MOST_ENTITIES = 100_000
# What is worth less counts nothing, so that a risk comes to 0: the most severe input is worth
# this after 7.6 half-lives.
LEAST = 0.5
RANKS = np.arange(1, MOST_INPUTS + 1) ** -1.5
DECADES = 3.0


def severity(per_day: float) -> float:
    """How severe a score is, 0 to 100: 0 at once a day, 100 at once in a thousand days.

    >>> severity(1.0), round(severity(0.01), 1), severity(1e-9)
    (0.0, 66.7, 100.0)
    """
    return 100.0 * min(max(0.0, -math.log10(per_day) / DECADES), 1.0)


@dataclass(frozen=True, order=True)
class RiskInput:
    """Something that speaks against an entity.

    Parameters
    ----------
    severity : float
        0 to 100 at the time it happened; of a score, see `severity`.
    at : datetime
        When, aware UTC.
    source : str
        What says so: a view, a rule; a source's share of the risk is capped.
    note : str
        For people.

    Raises
    ------
    ValueError
        The severity is not from 0 to 100, or the time is not aware.
    """

    severity: float
    at: datetime
    source: str
    note: str = ""

    def __post_init__(self) -> None:
        if not 0.0 <= self.severity <= 100.0:
            raise ValueError(f"severity is {self.severity}, expected 0 to 100")
        if self.at.tzinfo is None:
            raise ValueError(f"at is {self.at.isoformat()}, expected a time with a time zone")


@dataclass(frozen=True)
class Contribution:
    """What one input, or one linked entity, adds to a risk.

    Parameters
    ----------
    points : float
        Its part of the risk; all parts sum to the risk.
    source, note : str
        Of the input; `LINKED` and nothing for a linked entity.
    at : datetime or None
        Of the input; None for a linked entity.
    path : tuple of str
        The entities it came along, its origin first, the entity itself last.
    share : float
        Part of the origin's risk that arrives along the path; 1 for the entity's own.
    """

    points: float
    source: str
    note: str
    at: datetime | None
    path: tuple[str, ...]
    share: float


@dataclass(frozen=True)
class Risk:
    """An entity's risk, 0 to 100, and the contributions that sum to it, the greatest first."""

    entity: str
    value: float
    contributions: tuple[Contribution, ...]


class RiskBook:
    """The inputs and links of many entities.

    Inputs fade with a half-life. Those of one source are sorted, discounted by rank to the power
    of -1.5 and summed, so that the 32 gravest at full severity would make 100, one alone 44.
    Criticality multiplies the odds of that sum, a cap bounds it, and the sources are added up
    to at most 100. Linked entities are one more source: what each hands on is a share of its own
    risk, without its criticality and without what it was itself handed, along the path on which
    most arrives; the greatest arrives whole.

    Never more than 32 inputs a source and entity and 100,000 entities are kept: the gravest.

    Parameters
    ----------
    half_life : timedelta
        After which an input counts half.
    cap : float
        The most that one source may add, 0 to 100.
    caps : mapping of str to float
        For sources with a cap of their own; `LINKED` too.
    depth : int
        Most links that a share is handed along.

    Source: sorted and discounted sum, and criticality by odds, as in Elastic Security's entity
    risk scoring (its sum has exponent 1.5 too); half-life, caps and links are ours.

    >>> from datetime import UTC
    >>> now = datetime(2026, 1, 31, tzinfo=UTC)
    >>> book = RiskBook()
    >>> book.add("account 7", [RiskInput(80.0, now, "trades", "once in 300 days")])
    >>> book.link("account 7", "api key 3", 0.5)
    >>> round(book.risk("account 7", now).value), round(book.risk("api key 3", now).value)
    (35, 18)
    """

    def __init__(
        self,
        *,
        half_life: timedelta = timedelta(days=1),
        cap: float = 70.0,
        caps: Mapping[str, float] | None = None,
        depth: int = 2,
    ) -> None:
        self.caps = {LINKED: 40.0} | {name: float(value) for name, value in (caps or {}).items()}
        if half_life <= timedelta(0):
            raise ValueError(f"half_life is {half_life}, expected more than 0")
        for name, value in {"": cap, **self.caps}.items():
            if not 0.0 <= value <= 100.0:
                raise ValueError(f"cap {name or 'of a source'} is {value}, expected 0 to 100")
        if depth < 0:
            raise ValueError(f"depth is {depth}, expected 0 or more")
        self.half_life, self.cap, self.depth = half_life, float(cap), depth
        self._inputs: dict[str, dict[str, list[RiskInput]]] = {}
        self.links = Links()
        """To be read; `link` changes it."""
        self._criticality: dict[str, float] = {}
        self._changed: set[str] = set()

    def add(self, entity: str, inputs: Iterable[RiskInput]) -> None:
        """Take inputs of an entity, in any order."""
        self._changed.add(entity)
        sources = self._inputs.setdefault(entity, {})
        for new in inputs:
            kept = sources.setdefault(new.source, [])
            kept.append(new)
            kept.sort(key=self._gravity, reverse=True)
            del kept[MOST_INPUTS:]
        if len(self._inputs) > MOST_ENTITIES:
            grave = sorted(self._inputs, key=self._gravest, reverse=True)
            for name in grave[MOST_ENTITIES * 9 // 10 :]:
                del self._inputs[name]
                self._changed.add(name)

    def link(self, origin: str, target: str, share: float) -> None:
        """Have an entity hand a share of its risk, 0 to 1, on to another; see `Links.set`."""
        forgotten = self.links.set(origin, target, share)
        self._changed |= {target} if forgotten is None else {target, forgotten}

    def weigh(self, entity: str, criticality: float) -> None:
        """Set how critical an entity is: 1 as any, 2 doubles the odds of its risk."""
        if not 0.01 <= criticality <= 100.0:
            raise ValueError(f"criticality of {entity!r} is {criticality}, expected 0.01 to 100")
        self._criticality[entity] = criticality
        self._changed.add(entity)

    def risk(self, entity: str, now: datetime) -> Risk:
        """The risk of an entity; inputs after ``now`` do not count yet."""
        criticality = self._criticality.get(entity, 1.0)
        parts = [
            Contribution(points, new.source, new.note, new.at, (entity,), 1.0)
            for new, points in self._own(entity, now, criticality)
        ]
        handed = []
        for path, share in self.links.paths(entity, self.depth).values():
            own = math.fsum(points for _, points in self._own(path[0], now, 1.0))
            handed.append((share * min(own, 100.0), path, share))
        handed = sorted(
            (one for one in handed if one[0] >= LEAST), key=lambda one: (-one[0], one[1])
        )[:MOST_INPUTS]
        # What one link hands on arrives whole; further ones are discounted.
        worth = np.array([one[0] for one in handed]) * RANKS[: len(handed)]
        for points, (_, path, share) in zip(
            self._limited(worth, LINKED, criticality), handed, strict=True
        ):
            parts.append(Contribution(points, LINKED, "", None, path, share))
        excess = max(math.fsum(part.points for part in parts) / 100.0, 1.0)
        parts = [replace(part, points=part.points / excess) for part in parts if part.points > 0]
        parts.sort(key=lambda part: (-part.points, part.source, part.path))
        value = min(math.fsum(part.points for part in parts), 100.0)
        return Risk(entity, value, tuple(parts))

    def riskiest(self, now: datetime, most: int) -> list[Risk]:
        """The risks above 0, of at most so many entities, the greatest first, then by name."""
        all_risks = (self.risk(name, now) for name in {*self._inputs, *self.links.targets()})
        found = (risk for risk in all_risks if risk.value > 0)
        return sorted(found, key=lambda risk: (-risk.value, risk.entity))[:most]

    def forget(self, now: datetime) -> None:
        """Drop inputs that have faded for good; no risk at ``now`` or later changes."""
        for entity, sources in list(self._inputs.items()):
            for source, kept in list(sources.items()):
                sources[source] = [new for new in kept if self._worth(new, now) >= LEAST]
                if len(sources[source]) < len(kept):
                    self._changed.add(entity)
            if not any(sources.values()):
                del self._inputs[entity]

    def state(self) -> dict[str, dict[str, Any] | None]:
        """What changed of each entity since the last call, as JSON values; None where forgotten."""
        changed = {entity: self._row(entity) for entity in sorted(self._changed)}
        self._changed.clear()
        return changed

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin again from all that `state` gave, the newest of each entity.

        Raises StateError where a part is missing or has the wrong type or range.
        """
        self._inputs, self.links, self._criticality = {}, Links(), {}
        try:
            for entity, row in state.items():
                for grade, at, source, note in row["inputs"]:
                    self.add(entity, [RiskInput(grade, datetime.fromisoformat(at), source, note)])
                for origin, share in row["links"].items():
                    self.link(origin, entity, share)
                self.weigh(entity, row["criticality"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(f"state holds no risk book: {error}") from error
        self._changed.clear()

    def _row(self, entity: str) -> dict[str, Any] | None:
        inputs = [
            [new.severity, new.at.isoformat(), new.source, new.note]
            for kept in self._inputs.get(entity, {}).values()
            for new in kept
        ]
        links, criticality = self.links.into(entity), self._criticality.get(entity, 1.0)
        if not inputs and not links and criticality == 1.0:
            return None
        return {"inputs": inputs, "links": links, "criticality": criticality}

    def _worth(self, new: RiskInput, now: datetime) -> float:
        return float(new.severity * 0.5 ** ((now - new.at) / self.half_life))

    def _gravity(self, new: RiskInput) -> tuple[float, RiskInput]:
        """Rank of an input, the same at any time: all fade alike."""
        age = new.at.timestamp() / self.half_life.total_seconds()
        return (math.log2(new.severity) if new.severity else -math.inf) + age, new

    def _gravest(self, entity: str) -> tuple[float, str]:
        kept = self._inputs[entity].values()
        return max((self._gravity(new)[0] for k in kept for new in k), default=-math.inf), entity

    def _own(self, entity: str, now: datetime, criticality: float) -> list[tuple[RiskInput, float]]:
        """What the inputs of an entity add to its risk, source by source."""
        found: list[tuple[RiskInput, float]] = []
        for source, kept in sorted(self._inputs.get(entity, {}).items()):
            worths = [(new, self._worth(new, now)) for new in kept if new.at <= now]
            left = [(new, worth) for new, worth in worths if worth >= LEAST]
            ranked = np.array([worth for _, worth in left]) * RANKS[: len(left)] / RANKS.sum()
            points = self._limited(ranked, source, criticality)
            found.extend(zip((new for new, _ in left), points, strict=True))
        return found

    def _limited(self, points: Vector, source: str, criticality: float) -> list[float]:
        """Points of a source in the same proportions, weighed and at most its cap together."""
        total = float(points.sum())
        if not total:
            return []
        odds = 100.0 / (1.0 + (100.0 - min(total, 100.0)) / (criticality * total))
        return list(map(float, points * (min(odds, self.caps.get(source, self.cap)) / total)))
