"""Tables of windows and scores on a disk: Delta, read as Parquet, Polars or pandas."""

from __future__ import annotations

from pipeline.lake.lake import Lake, LakeError

__all__ = ["Lake", "LakeError"]
