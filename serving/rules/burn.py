"""Service levels: how many times too fast an error budget is spent.

A rate of 1 spends the whole budget in exactly the time of the objective. Each rate is measured
over a long time, so that a blip is no alarm, and over a short one, so that the alarm ends soon
after the trouble; both must be above the limit. Time that was not watched counts as good, so that
a service that has just been met is not judged by its first minute.

Source: Google, The Site Reliability Workbook, chapter 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from serving.rules.rule import BurnRate

__all__ = ["Budget"]

PARTS = 5
"""The short time is cut into so many parts; sums move on a part at a time."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Budget:
    """What was good and bad of one entity, in parts of the short time of one rate.

    Parameters
    ----------
    first : int or None
        Number of the first part that was watched.
    total, bad : dict of int to float
        By number of the part: how much there was, and how much of it was bad.
    """

    first: int | None = None
    total: dict[int, float] = field(default_factory=dict)
    bad: dict[int, float] = field(default_factory=dict)

    def add(
        self, rate: BurnRate, objective: float, start: datetime, good: float, of: float
    ) -> float:
        """Count one window, and say how fast the budget is spent now.

        Parameters
        ----------
        rate : BurnRate
        objective : float
            Share that is to be good, %.
        start : datetime
            Of the window, aware UTC; not before that of the last call.
        good : float
            Share of the window that was good, %.
        of : float
            How much that is a share of.

        Returns
        -------
        float
            Times the rate that just keeps the objective; the lesser of the long and short time's.
        """
        width = rate.short / PARTS
        now = _part(start, width)
        self.first = now if self.first is None else self.first
        self.total[now] = self.total.get(now, 0.0) + of
        if good < 100:
            self.bad[now] = self.bad.get(now, 0.0) + of * (1 - good / 100)
        self._forget(now - _parts(rate.long, width))
        shares = [self._bad_share(now, _parts(time, width)) for time in (rate.long, rate.short)]
        return min(shares) / (1 - objective / 100)

    def _bad_share(self, now: int, parts: int) -> float:
        if not self.bad or self.first is None:
            return 0.0
        bad, total = (
            sum(amount for part, amount in amounts.items() if part > now - parts)
            for amounts in (self.bad, self.total)
        )
        return bad / total * min((now - self.first + 1) / parts, 1.0) if total else 0.0

    def _forget(self, oldest: int) -> None:
        for amounts in (self.total, self.bad):
            for part in [part for part in amounts if part <= oldest]:
                del amounts[part]

    def over(self, rate: BurnRate, at: datetime) -> bool:
        """Whether nothing that was counted is within the long time any more."""
        width = rate.short / PARTS
        return max(self.total, default=0) <= _part(at, width) - _parts(rate.long, width)

    def state(self) -> dict[str, Any]:
        """It as JSON values."""
        parts = [[part, total, self.bad.get(part, 0.0)] for part, total in self.total.items()]
        return {"first": self.first, "parts": parts}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        """What gave that state."""
        parts = state["parts"]
        return cls(
            state["first"],
            {int(part): total for part, total, _ in parts},
            {int(part): bad for part, _, bad in parts if bad},
        )


def _part(at: datetime, width: timedelta) -> int:
    return (at - EPOCH) // width


def _parts(time: timedelta, width: timedelta) -> int:
    return -(-time // width)
