"""The kernel says what numpy says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.kernels.rank import below


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False), max_size=40),
    st.lists(st.floats(), max_size=20),
)
def test_ranks_are_those_of_searchsorted(reference: list[float], values: list[float]) -> None:
    ranked = np.sort(np.array(reference, np.float64))
    # What is equal to one of them stands before it.
    asked = np.array([*values, *reference], np.float64)
    np.testing.assert_array_equal(below(ranked, asked), np.searchsorted(ranked, asked))
