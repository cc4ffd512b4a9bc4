"""What was put in comes out once, in order of arrival, whatever the slices."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.simulate.outbox import Outbox

times = st.lists(st.lists(st.integers(0, 20), max_size=6), max_size=6)


@given(times, st.lists(st.integers(0, 25), max_size=5))
def test_slices_give_what_one_taking_gives(parts: list[list[int]], cuts: list[int]) -> None:
    whole, sliced = Outbox(number=np.int64), Outbox(number=np.int64)
    count = 0
    for part in parts:
        for box in (whole, sliced):
            box.put(np.array(part, np.int64), number=count + np.arange(len(part)))
        count += len(part)
    taken = [sliced.take(cut) for cut in [*sorted(cuts), 99]]
    once = whole.take(99)
    assert np.array_equal(np.concatenate([t["number"] for t in taken]), once["number"])
    order = np.lexsort((once["number"], once["arrives"]))
    assert (order == np.arange(count)).all()


def test_one_value_holds_for_all_and_types_are_kept() -> None:
    box = Outbox(number=float, word=object)
    box.put([3, 1], number=2, word="a")
    taken = box.take(10)
    assert taken["number"].dtype == np.float64
    assert taken["word"].tolist() == ["a", "a"]
    assert taken["arrives"].tolist() == [1, 3]
