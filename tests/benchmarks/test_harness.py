"""The harness measures in turns and says which side is faster."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks import harness


class Clock:
    """A clock that only calls move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def takes(self, name: str, *seconds: float) -> Callable[[], None]:
        lengths = [*seconds]

        def call() -> None:
            self.calls.append(name)
            self.now += lengths.pop(0) if len(lengths) > 1 else lengths[0]

        return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(harness.time, "perf_counter", lambda: clock.now)
    return clock


def test_ratio_is_how_many_times_faster_than_the_peer(clock: Clock) -> None:
    result = harness.compare(
        "x", clock.takes("ours", 1.0), clock.takes("peer", 3.0), "peer", "us/call", 0.5
    )
    assert result == {
        "name": "x",
        "ours": pytest.approx(1e6),
        "peer": pytest.approx(3e6),
        "peer_name": "peer",
        "unit": "us/call",
        "ratio": pytest.approx(3.0),
        "parity": 0.5,
    }


def test_rows_a_second_count_the_rows_of_a_call(clock: Clock) -> None:
    ours, peer = clock.takes("ours", 0.5), clock.takes("peer", 2.0)
    result = harness.compare("x", ours, peer, "peer", "rows/s", 0.0, rows=100)
    assert (result["ours"], result["peer"]) == (pytest.approx(200.0), pytest.approx(50.0))
    assert result["ratio"] == pytest.approx(4.0)


def test_a_time_is_that_of_one_of_the_things_a_call_handles(clock: Clock) -> None:
    ours, peer = clock.takes("ours", 0.5), clock.takes("peer", 2.0)
    result = harness.compare("x", ours, peer, "peer", "ms/push", 0.0, rows=100)
    assert (result["ours"], result["peer"]) == (pytest.approx(5.0), pytest.approx(20.0))
    assert result["ratio"] == pytest.approx(4.0)


def test_a_peer_that_handles_fewer_is_scaled_to_the_same_unit(clock: Clock) -> None:
    ours, peer = clock.takes("ours", 0.5), clock.takes("peer", 2.0)
    result = harness.compare("x", ours, peer, "peer", "rows/s", 0.0, rows=100, peer_rows=10)
    assert (result["ours"], result["peer"]) == (pytest.approx(200.0), pytest.approx(5.0))
    assert result["ratio"] == pytest.approx(40.0)


def test_ours_and_the_peer_take_turns(clock: Clock) -> None:
    ours, peer = clock.takes("ours", 1.0), clock.takes("peer", 1.0)
    harness.compare("x", ours, peer, "peer", "us/call", 0.0, repeats=5)
    assert clock.calls[-10:] == ["ours", "peer"] * 5


def test_one_slow_measurement_does_not_move_the_median(clock: Clock) -> None:
    ours = clock.takes("ours", 1.0, 1.0, 1.0, 90.0, 1.0)
    result = harness.compare("x", ours, clock.takes("peer", 2.0), "peer", "us/call", 0.0)
    assert result["ratio"] == pytest.approx(2.0)


def test_a_short_call_is_repeated_until_the_clock_can_tell(clock: Clock) -> None:
    ours, peer = clock.takes("ours", 0.001), clock.takes("peer", 1.0)
    harness.compare("x", ours, peer, "peer", "us/call", 0.0, repeats=5)
    assert clock.calls.count("ours") == 2 + 5 * 20


@pytest.mark.parametrize(("unit", "repeats"), [("seconds", 5), ("us/call", 4)])
def test_an_unknown_unit_or_too_few_repeats_are_refused(unit: str, repeats: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        harness.compare("x", print, print, "peer", unit, 0.0, repeats=repeats)
