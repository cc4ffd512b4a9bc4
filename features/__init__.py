"""What is measured: streams of events, windows over them, and features of windows."""

from __future__ import annotations

__all__: list[str] = []
