"""Labelled data sets, scored blind and judged beside what anyone could do in an afternoon."""

from __future__ import annotations

__all__: list[str] = []
