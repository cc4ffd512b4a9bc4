"""From windows to scores: what the arms see, how rare it is, and why, in words."""

from __future__ import annotations

__all__: list[str] = []
