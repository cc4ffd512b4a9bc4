"""History from files: events become windows in the lake, each once, as the stream makes them."""

from __future__ import annotations

from pipeline.backfill.keep import Kept, keep
from pipeline.backfill.local import Filled, backfill

__all__ = ["Filled", "Kept", "backfill", "keep"]
