"""Who plays in the demonstration: each attack and its benign twin, and whose alert is whose.

Scenarios that leave their traces in the same streams follow one another; the others play beside
them, begun a few minutes apart. Detection is told nothing of this.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios import SCENARIOS, Scenario

__all__ = ["LANES", "TWIN_FIRST", "Act", "Cast", "Stage", "order"]

LANES = ((4, 3), (5, 6, 7), (1, 2, 10), (9,), (8,))
"""Numbers of the scenarios that follow one another: accounts, market, chain and employees, feeds,
machines."""
TWIN_FIRST = (2, 3, 8)
"""Scenarios whose twin does its work where the attack does: the same vault, the accounts, the
machines. After the attack it would join an incident that people were told of already, and what it
touches would be at risk; so it plays first, and its silence is its own."""
APART = timedelta(minutes=3)
PAUSE = timedelta(minutes=10)
LULL = timedelta(minutes=20)
"""From a twin to the attack after it: by then what the twin may have opened is over."""
WATCHED = timedelta(minutes=90)
"""So much of a twin is waited for; the news of S7 goes on for ten hours."""
GRACE = timedelta(minutes=10)
"""What is told so long after a stage is over still belongs to it."""


@dataclass(frozen=True)
class Stage:
    """What one entity of a view does, from when until when."""

    name: str
    view: str
    entity: str
    start: datetime
    end: datetime

    def touches(self, entity: str, start: datetime, end: datetime) -> bool:
        """Whether a window of an entity, of whatever view, overlaps it.

        An account, and the same account in one market, are taken as one; so are a market, and
        the market at one venue.
        """
        if start >= self.end + GRACE or end <= self.start:
            return False
        mine, other = set(self.entity.split("|")), set(entity.split("|"))
        return mine <= other or other <= mine


@dataclass(frozen=True)
class Act:
    """A scenario's attack or twin, as it is hidden in the streams."""

    number: int
    title: str
    kind: str
    streams: tuple[str, ...]
    stages: tuple[Stage, ...]

    @property
    def name(self) -> str:
        """Such as ``S5 attack``."""
        return f"S{self.number} {'attack' if self.kind == 'attack' else 'twin'}"

    @property
    def start(self) -> datetime:
        """When it begins."""
        return min(stage.start for stage in self.stages)

    @property
    def end(self) -> datetime:
        """When its last stage is over."""
        return max(stage.end for stage in self.stages)

    def stage_of(self, entity: str, start: datetime, end: datetime) -> Stage | None:
        """The stage that a window belongs to: of several, the one that began last."""
        found = [stage for stage in self.stages if stage.touches(entity, start, end)]
        return max(found, key=lambda stage: stage.start, default=None)


class Cast:
    """All that is played on a platform from now on.

    Parameters
    ----------
    platform : Platform
        Gets all of it at once; it begins where the platform's horizon is.
    begin : datetime
        Aware, where the platform stands.
    numbers : collection of int, optional
        Which scenarios; by default all of `LANES`.

    Attributes
    ----------
    acts : list of Act
        In order of their beginning.
    not_played : dict of str to str
        Which scenarios the platform cannot play, and why.
    """

    def __init__(
        self, platform: Platform, begin: datetime, numbers: Collection[int] | None = None
    ) -> None:
        self.begin = begin
        self.acts: list[Act] = []
        self.not_played: dict[str, str] = {}
        for place, lane in enumerate(LANES):
            at = begin + timedelta(minutes=1) + place * APART
            for number in lane:
                if numbers is not None and number not in numbers:
                    continue
                if _scenario(number).needs and platform.chain is None:
                    self.not_played[f"S{number}"] = "it needs a chain, which tocsin[demo] brings"
                    continue
                first, second = order(number)
                self.acts.append(_play(platform, number, first, at))
                at = _whole_minute(self.acts[-1].end + (PAUSE if first == "attack" else LULL))
                self.acts.append(_play(platform, number, second, at))
                at = _whole_minute(self.acts[-1].end + PAUSE)
        self.acts.sort(key=lambda act: (act.start, act.number))

    @property
    def end(self) -> datetime:
        """When the last of it is over and can have been told."""
        return max((act.end for act in self.acts), default=self.begin) + GRACE

    def whose(self, entity: str, start: datetime, end: datetime) -> tuple[Act, Stage] | None:
        """What is behind a window of an entity; the actor itself before its kin, then an attack."""
        found = [(act, act.stage_of(entity, start, end)) for act in self.acts]
        belongs = [(act, stage) for act, stage in found if stage is not None]
        return min(belongs, key=lambda both: (both[1].entity != entity, both[0].kind), default=None)

    def beside(self, stream: str, start: datetime, end: datetime) -> list[Act]:
        """What plays in a stream while a window lasts: it may have touched others too."""
        return [
            act
            for act in self.acts
            if stream in act.streams and start < act.end + GRACE and end > act.start
        ]


def order(number: int) -> tuple[str, str]:
    """Which of a scenario's two acts comes first."""
    return ("decoy", "attack") if number in TWIN_FIRST else ("attack", "decoy")


def _scenario(number: int) -> Scenario:
    return next(one for one in SCENARIOS.values() if one.number == number)


def _play(platform: Platform, number: int, kind: str, at: datetime) -> Act:
    scenario = _scenario(number)
    truth = scenario.play(platform, at, "attack" if kind == "attack" else "decoy", strength=1.0)
    kin = _kin(platform)
    last = at + WATCHED if kind == "decoy" else None
    stages = tuple(
        Stage(
            row["stage"],
            row["view"],
            row["entity"],
            row["start"],
            min(row["end"], last) if last else row["end"],
        )
        for row in truth.iter_rows(named=True)
        if last is None or row["start"] < last
    )
    stages += tuple(
        replace(stage, entity=other) for stage in stages for other in kin.get(stage.entity, ())
    )
    return Act(number, scenario.title, kind, scenario.streams, stages)


def _kin(platform: Platform) -> dict[str, list[str]]:
    """Other names under which an actor is measured: a key's owner, an address's network."""
    people = platform.people
    kin = {people.key(key): [people.name(owner)] for key, (owner, _) in people.keys.items()}
    for address in people.addresses:
        kin[address.ip] = [f"{address.ip.rsplit('.', 1)[0]}.0/24", address.asn]
    return kin


def _whole_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)
