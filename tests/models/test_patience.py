"""A burst ends before patience does; a lasting change outlasts it, whoever else is flagged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.detector import StateError
from models.patience import LIMIT, RELIEF, Patience

FLAGS = arrays(np.bool_, 400, elements=st.booleans())
ENTITIES = arrays(np.int64, 400, elements=st.integers(0, 4))


def all_flagged(rows: int, entity: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return np.full(rows, entity), np.ones(rows, bool)


def test_a_burst_of_600_is_never_given_in_to_and_what_lasts_is() -> None:
    lost = Patience().lost(*all_flagged(2_000))
    assert not lost[:LIMIT].any()
    assert lost[LIMIT:].all()
    assert LIMIT > 600


@pytest.mark.parametrize(
    ("flagged_share", "given_in"), [(0.005, False), (0.8, False), (0.97, True)]
)
def test_only_where_nearly_all_is_flagged_patience_ends(
    flagged_share: float, given_in: bool
) -> None:
    flagged = np.random.default_rng(0).random(20_000) < flagged_share
    lost = Patience().lost(np.zeros(20_000, np.int64), flagged)
    assert lost.any() == given_in
    assert not lost[~flagged].any()


def test_one_entity_does_not_use_up_the_patience_with_another() -> None:
    patience = Patience()
    patience.lost(*all_flagged(2_000, 3))
    assert not patience.lost(*all_flagged(LIMIT, 1)).any()
    assert patience.lost(*all_flagged(5, 3)).all()


def test_a_quiet_hour_restores_it() -> None:
    patience = Patience()
    patience.lost(*all_flagged(5_000))
    patience.lost(np.zeros(LIMIT // RELIEF + 1, np.int64), np.zeros(LIMIT // RELIEF + 1, bool))
    assert not patience.lost(*all_flagged(LIMIT)).any()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(entity=ENTITIES, flagged=FLAGS, cut=st.integers(0, 400))
def test_how_windows_come_in_batches_does_not_matter(
    entity: np.ndarray, flagged: np.ndarray, cut: int
) -> None:
    whole, parts = Patience(), Patience()
    for patience in (whole, parts):
        patience.lost(*all_flagged(LIMIT - 30, 2))
    expected = whole.lost(entity, flagged)
    found = [parts.lost(entity[:cut], flagged[:cut])]
    again = Patience()
    again.restore(parts.state())
    found.append(again.lost(entity[cut:], flagged[cut:]))
    np.testing.assert_array_equal(np.concatenate(found), expected)


@pytest.mark.parametrize("wrong", [None, np.zeros(3), np.array([-1]), np.array([LIMIT + 2])])
def test_a_wrong_state_is_refused(wrong: object) -> None:
    with pytest.raises(StateError, match="'run'"):
        Patience().restore({"run": wrong})  # type: ignore[dict-item]
