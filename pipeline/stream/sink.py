"""What is made of scored windows: the loop hands them on, and knows nothing of alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import polars as pl

from features.view import FeatureView
from pipeline.scoring.reasons import Explanation
from pipeline.stream.checkpoint import Connection

__all__ = ["Sink"]


class Sink(Protocol):
    """What is made of scored windows, inside the checkpoint's transaction."""

    def take(
        self,
        connection: Connection,
        view: FeatureView,
        windows: pl.DataFrame,
        scores: pl.DataFrame,
        explained: list[Explanation],
        *,
        now: datetime,
    ) -> object:
        """Take the windows that one step closed; called again where the transaction is."""
