"""Orders come as often as asked, in clusters, more by day, and withdrawn ones were entered."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.simulate import agents
from pipeline.simulate.exchange import PAIRS, Exchange
from pipeline.simulate.flow import BEAT, Flow, order_values, season

NOW = 1_772_409_600_000_000
HOUR = 3_600_000_000
MINUTES = 600


def given() -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """All instructions of ten hours from 11 o'clock on."""
    exchange = Exchange(NOW)
    flow = Flow(exchange, np.arange(3, 503))
    for minute in range(MINUTES):
        flow.beat(NOW + 11 * HOUR + minute * BEAT, np.random.default_rng([1, minute]))
    return np.concatenate(exchange._waiting)


@pytest.fixture(scope="module")
def todo() -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return given()


def test_orders_come_as_often_as_the_pair_says(todo: np.ndarray) -> None:
    entered = todo[np.isin(todo[:, agents.I_KIND], [agents.MARKET, agents.PEGGED])]
    busy = np.mean([season(NOW + 11 * HOUR + m * BEAT) for m in range(MINUTES)])
    for s, pair in enumerate(PAIRS):
        expected = pair.orders * busy * MINUTES / 1_440
        # Liveliness is a slow random level of its own.
        assert 0.4 * expected < (entered[:, agents.I_SYMBOL] == s).sum() < 2.5 * expected


def test_orders_come_in_clusters(todo: np.ndarray) -> None:
    mine = todo[(todo[:, agents.I_KIND] == agents.MARKET) & (todo[:, agents.I_SYMBOL] == 0)]
    counts = np.bincount((mine[:, agents.I_AT] - NOW) // 10_000_000)[11 * 360 :]
    assert counts.var() > 1.5 * counts.mean()


def test_what_is_withdrawn_was_entered_before(todo: np.ndarray) -> None:
    entered = todo[todo[:, agents.I_KIND] == agents.PEGGED]
    gone = todo[todo[:, agents.I_KIND] == agents.CANCEL]
    at = dict(entered[:, [agents.I_HANDLE, agents.I_AT]].tolist())
    assert len(gone) == len(entered) == len(at)
    assert all(at[handle] < when for handle, when in gone[:, [agents.I_HANDLE, agents.I_AT]])


def test_the_afternoon_is_busier_than_the_night() -> None:
    assert season(NOW + 16 * HOUR) == pytest.approx(3 * season(NOW + 4 * HOUR))


def test_values_have_a_heavy_tail() -> None:
    values = order_values(np.full(20_000, 100.0), np.random.default_rng(1))
    assert np.median(values) == pytest.approx(100, rel=0.1)
    assert np.sort(values)[-200:].sum() > 0.1 * values.sum()
