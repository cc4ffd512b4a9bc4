"""Hold-down and hysteresis: when a rung is breached, and when it is left.

A rung is breached when N of the last M windows broke the limit, the newest among them. It stays
breached until so many windows in a row are clear. A window whose value is unknown says nothing:
it neither breaches nor clears. What has had no window for long enough is forgotten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

__all__ = ["LONGEST_KEY", "Hold", "memory_key", "named_by"]

LONGEST_KEY = 255


def memory_key(rule: str, name: str) -> str:
    """The key under which the memory of a rule and an entity is kept, at most 255 characters.

    >>> memory_key("host.cpu.high", "web-1"), len(memory_key("host.cpu.high", "x" * 1_000))
    ('host.cpu.high|web-1', 78)
    """
    key = f"{rule}|{name}"
    if len(key) <= LONGEST_KEY:
        return key
    return f"{rule}|{hashlib.sha256(name.encode()).hexdigest()}"


def named_by(key: str, state: Mapping[str, Any]) -> tuple[str, str]:
    """The rule and the entity of a key and what is kept under it."""
    rule, name = key.split("|", 1)
    return rule, state.get("entity", name)


@dataclass(frozen=True)
class Hold:
    """The memory of one rung for one entity.

    Parameters
    ----------
    bits : int
        The newest windows, one bit each, 1 where the limit was broken; the lowest is the newest.
    clear : int
        How many windows in a row were clear.
    since : datetime or None
        End of the first window of this breach; None while there is none.
    at : datetime or None
        End of the newest window.
    """

    bits: int = 0
    clear: int = 0
    since: datetime | None = None
    at: datetime | None = None

    @property
    def breached(self) -> bool:
        """Whether the rung holds now."""
        return self.since is not None

    @property
    def idle(self) -> bool:
        """Whether this is the state of a rung that nothing was ever said of."""
        return not self.bits and self.since is None

    def step(
        self,
        *,
        broken: bool,
        cleared: bool,
        known: bool = True,
        end: datetime,
        of: tuple[int, int],
        clear_for: int,
    ) -> Hold:
        """The memory after one more window.

        Parameters
        ----------
        broken, cleared : bool
            Whether the window broke the limit, and whether it was clear of it; never both.
        known : bool
            Whether the value is known; else only time moves on.
        end : datetime
            End of the window.
        of : tuple of (int, int)
            N of M.
        clear_for : int
            Windows in a row that end a breach.
        """
        if not known:
            return replace(self, at=end)
        some, window = of
        bits = (self.bits << 1 | broken) & ((1 << window) - 1)
        clear = self.clear + 1 if cleared else 0
        since = self.since
        if since is None and broken and bits.bit_count() >= some:
            since = end
        elif since is not None and clear >= clear_for:
            since, bits, clear = None, 0, 0
        return Hold(bits, clear if since else 0, since, end)

    def state(self) -> dict[str, Any]:
        """It as JSON values."""
        times = {"since": self.since, "at": self.at}
        told = {name: time.isoformat() if time else None for name, time in times.items()}
        return {"bits": self.bits, "clear": self.clear, **told}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        """What gave that state."""
        since, at = (
            datetime.fromisoformat(state[name]) if state[name] else None for name in ("since", "at")
        )
        return cls(state["bits"], state["clear"], since, at)
