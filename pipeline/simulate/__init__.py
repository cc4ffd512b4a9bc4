"""Made-up platforms whose truth is known, for the demo and the tests."""

from __future__ import annotations

__all__: list[str] = []
