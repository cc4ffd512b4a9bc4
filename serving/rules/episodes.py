"""What a correlation remembers of one group of entities, and when that is what it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from serving.rules.breach import Breach
from serving.rules.rule import Correlation

__all__ = ["Episode", "Group"]

MOST_EPISODES = 8
"""Of each step of a chain. The second oldest goes first: later steps may need the oldest."""
MOST_SEEN = 200
"""Of counts and distinct counts, unless more are asked for; the oldest goes first."""


@dataclass(frozen=True)
class Episode:
    """A rule was broken for an entity: in one window, or in several in a row."""

    rule: str
    entity: str
    start: datetime
    end: datetime
    summary: str

    def told(self) -> dict[str, str]:
        """It as JSON values."""
        return {
            "rule": self.rule,
            "entity": self.entity,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "summary": self.summary,
        }

    @classmethod
    def of_told(cls, given: Mapping[str, str]) -> Self:
        """What told that."""
        start, end = (datetime.fromisoformat(given[name]) for name in ("start", "end"))
        return cls(given["rule"], given["entity"], start, end, given["summary"])


@dataclass
class Group:
    """What a correlation has seen of one group.

    Parameters
    ----------
    steps : dict of int to list of Episode
        By the step of a chain, in order of their ends; all under 0 where there is no chain.
    since, last : datetime or None
        When what is asked for was first and last there.
    """

    steps: dict[int, list[Episode]] = field(default_factory=dict)
    since: datetime | None = None
    last: datetime | None = None

    def newest(self) -> datetime | None:
        """End of the newest episode."""
        return max((one.end for seen in self.steps.values() for one in seen), default=None)

    def take(
        self, correlation: Correlation, breach: Breach, steps: Sequence[int]
    ) -> tuple[Episode, ...]:
        """Remember a breach; what the correlation asks for, if this breach makes it complete.

        Parameters
        ----------
        steps : sequence of int
            Which of the correlation's rules the breach is of.
        """
        within = correlation.within
        new = Episode(breach.rule, breach.entity, breach.start, breach.end, breach.summary)
        newest = max(self.newest() or new.end, new.end)
        for step, seen in self.steps.items():
            self.steps[step] = [one for one in seen if newest - one.end <= within + _length(one)]
        if correlation.kind in ("ordered", "all"):
            found: tuple[Episode, ...] = ()
            put = {step: self._extend(step, new) for step in steps}
            for step, episode in put.items():
                found = found or next(self._chains(correlation, step, episode), ())
            return found
        if correlation.kind == "first":
            seen = self.steps.get(0, [])
            self.steps[0] = [max((*seen, new), key=lambda one: one.end)]
            return () if seen else (new,)
        kept = self.steps.get(0, [])
        if correlation.kind == "distinct":
            kept = [one for one in kept if one.entity != new.entity]
        most = max(correlation.at_least, MOST_SEEN)
        self.steps[0] = kept = sorted((*kept, new), key=lambda one: one.end)[-most:]
        near = tuple(one for one in kept if abs(new.end - one.end) <= within)
        return near if len(near) >= correlation.at_least else ()

    def _extend(self, step: int, new: Episode) -> Episode:
        """Put a window into the episode it goes on with, or begin one with it."""
        seen = self.steps.setdefault(step, [])
        length = new.end - new.start
        for number, one in enumerate(seen):
            apart = max(new.start - one.end, one.start - new.end)
            if one.entity == new.entity and apart < length:
                start, end = min(one.start, new.start), max(one.end, new.end)
                seen[number] = replace(new, start=start, end=end)
                return seen[number]
        seen.append(new)
        seen.sort(key=lambda one: one.end)
        if len(seen) > MOST_EPISODES:
            del seen[1]
        return new

    def _chains(
        self, correlation: Correlation, step: int, episode: Episode
    ) -> Iterator[tuple[Episode, ...]]:
        """Every choice of an episode for each step that can be, the newest first."""
        choices = [
            [episode] if number == step else self.steps.get(number, [])[::-1]
            for number in range(len(correlation.rules))
        ]

        def choose(chosen: tuple[Episode, ...]) -> Iterator[tuple[Episode, ...]]:
            if len(chosen) == len(choices):
                yield chosen
                return
            for one in choices[len(chosen)]:
                longer = (*chosen, one)
                in_order = correlation.kind == "all" or all(e.start < one.end for e in chosen)
                spread = max(e.start for e in longer) - min(e.end for e in longer)
                if one not in chosen and in_order and spread <= correlation.within:
                    yield from choose(longer)

        if all(choices):
            yield from choose(())

    def state(self) -> dict[str, Any]:
        """It as JSON values."""
        times = {"since": self.since, "last": self.last}
        steps = {str(step): [one.told() for one in seen] for step, seen in self.steps.items()}
        return {"steps": steps} | {name: at and at.isoformat() for name, at in times.items()}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        """What gave that state."""
        steps = {
            int(step): [Episode.of_told(one) for one in seen]
            for step, seen in state["steps"].items()
        }
        since, last = (
            datetime.fromisoformat(state[name]) if state[name] else None
            for name in ("since", "last")
        )
        return cls(steps, since, last)


def _length(episode: Episode) -> timedelta:
    return episode.end - episode.start
