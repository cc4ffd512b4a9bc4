"""The loop: from sources through windows and scores to the lake and a sink, exactly once."""

from __future__ import annotations

__all__: list[str] = []
