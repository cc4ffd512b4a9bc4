"""The numba kernels behind the detectors, and the arrays they walk."""

from __future__ import annotations

__all__: list[str] = []
