"""Hold-down and hysteresis: when a rung is breached, and when it is left.

A rung is breached when N of the last M windows broke the limit, the newest among them. It stays
breached until so many windows in a row are clear. A window whose value is unknown says nothing:
it neither breaches nor clears.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Hold"]


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
    """

    bits: int = 0
    clear: int = 0
    since: datetime | None = None

    @property
    def breached(self) -> bool:
        """Whether the rung holds now."""
        return self.since is not None

    @property
    def idle(self) -> bool:
        """Whether this is the state of a rung that nothing was ever said of."""
        return not self.bits and self.since is None

    def step(
        self, *, broken: bool, cleared: bool, end: datetime, of: tuple[int, int], clear_for: int
    ) -> Hold:
        """The memory after one more window.

        Parameters
        ----------
        broken, cleared : bool
            Whether the window broke the limit, and whether it was clear of it; never both.
        end : datetime
            End of the window.
        of : tuple of (int, int)
            N of M.
        clear_for : int
            Windows in a row that end a breach.
        """
        some, window = of
        bits = (self.bits << 1 | broken) & ((1 << window) - 1)
        clear = self.clear + 1 if cleared else 0
        since = self.since
        if since is None and broken and bits.bit_count() >= some:
            since = end
        elif since is not None and clear >= clear_for:
            since, bits, clear = None, 0, 0
        return Hold(bits, clear if since else 0, since)
