"""A scheduler runs its command now and again, one at a time, until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.lifecycle.schedule import scheduler, serve

QUICKLY = timedelta(milliseconds=10)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command:
    """Counts its runs, fails in the first, and ends the process's service in the third."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number
        self.runs = 0
        self.at_work = 0
        self.most_at_work = 0

    def __call__(self) -> None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        self.runs += 1
        self.at_work -= 1
        if self.runs == 1:
            raise ValueError("the first run fails")
        if self.runs == 3:
            os.kill(os.getpid(), self.number)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_it_runs_again_after_a_failure_until_a_signal(
    number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    command = Command(number)
    with caplog.at_level(logging.ERROR):
        serve(scheduler(command, every=QUICKLY, now=datetime.now(UTC)))
    assert command.runs >= 3
    assert command.most_at_work == 1
    assert "the first run fails" in caplog.text


def test_the_first_run_is_now_and_the_next_an_interval_later() -> None:
    made = scheduler(lambda: None, every=timedelta(hours=6), now=LONG_AGO)
    (job,) = made.get_jobs()
    assert job.next_run_time == LONG_AGO
    assert job.trigger.interval == timedelta(hours=6)
    assert (job.coalesce, job.max_instances) == (True, 1)
