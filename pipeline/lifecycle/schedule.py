"""Run a command again and again; what keeps two of them apart is the command's own lock."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType

from apscheduler.schedulers.blocking import BlockingScheduler

__all__ = ["scheduler", "serve"]


def scheduler(command: Callable[[], None], *, every: timedelta, now: datetime) -> BlockingScheduler:
    """A scheduler that runs a command at ``now`` and then at each interval, one run at a time.

    Intervals that passed while a run took longer, or while the machine slept, are one run. A run
    that raises is logged and does not stop the next.
    """
    made = BlockingScheduler(timezone=UTC)
    made.add_job(
        command,
        "interval",
        seconds=every.total_seconds(),
        next_run_time=now,
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    return made


def serve(made: BlockingScheduler) -> None:
    """Run a scheduler in the main thread until SIGINT or SIGTERM; a run that has begun is ended."""

    def stop(number: int, frame: FrameType | None) -> None:
        # A second signal may come while the last run ends.
        if made.running:
            made.shutdown(wait=False)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    made.start()
