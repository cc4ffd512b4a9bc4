"""What keeps a lake from growing for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from features.catalogue import VIEWS
from pipeline.lake.lake import Lake
from pipeline.lake.schema import SCORES

__all__ = ["upkeep"]

# No query runs that long, and versions older than a day have left the log (`Lake`: `history`).
KEEP = timedelta(days=1)


def upkeep(lake: Lake, *, now: datetime) -> dict[str, int]:
    """Delete windows and scores that their view no longer keeps, and files that nobody reads.

    Each compaction leaves the files it joined; unless they are removed, the bytes on the disk
    grow with the square of the commits. What was put aside stays.

    Parameters
    ----------
    now : datetime
        Aware; `FeatureView.retention` is counted back from it.

    Returns
    -------
    dict
        Rows deleted, of each table that lost any.

    Raises
    ------
    LakeError
        A table is damaged.
    """
    gone = {}
    for table in lake.tables():
        view = VIEWS.get(table.removeprefix(SCORES))
        if view is not None and (rows := lake.retain(table, view.retention.days, now)):
            gone[table] = rows
        lake.vacuum(table, KEEP)
    return gone
