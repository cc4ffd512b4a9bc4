"""Hold-down and hysteresis, against a plain reading of what they say."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from serving.rules.hold import Hold, memory_key, named_by
from tests.serving.rules.ruling import START

Said = Literal["broken", "between", "clear", "unknown"]
SAID = st.lists(st.sampled_from(["broken", "between", "clear", "unknown"]), max_size=40)


def _run(said: list[Said], of: tuple[int, int], clear_for: int) -> list[Hold]:
    hold, seen = Hold(), []
    for number, word in enumerate(said):
        hold = hold.step(
            broken=word == "broken",
            cleared=word == "clear",
            known=word != "unknown",
            end=START + timedelta(minutes=number),
            of=of,
            clear_for=clear_for,
        )
        seen.append(hold)
    return seen


def _plainly(said: list[Said], of: tuple[int, int], clear_for: int) -> list[bool]:
    """Read again from all windows since the last breach ended, at each of them."""
    breached, seen = False, []
    since: list[Said] = []
    for word in said:
        if word != "unknown":
            since.append(word)
            if breached:
                if len(since) >= clear_for and set(since[-clear_for:]) == {"clear"}:
                    breached, since = False, []
            elif word == "broken" and since[-of[1] :].count("broken") >= of[0]:
                breached = True
        seen.append(breached)
    return seen


@given(SAID, st.integers(1, 5), st.integers(0, 4), st.integers(1, 4))
def test_a_rung_is_breached_by_n_of_m_and_left_by_so_many_clear_in_a_row(
    said: list[Said], some: int, more: int, clear_for: int
) -> None:
    of = (some, some + more)
    assert [hold.breached for hold in _run(said, of, clear_for)] == _plainly(said, of, clear_for)


@given(SAID)
def test_what_is_unknown_changes_nothing_but_the_time(said: list[Said]) -> None:
    known: list[Said] = [word for word in said if word != "unknown"]
    last = _run(said, (2, 3), 2)[-1:]
    plain = _run(known, (2, 3), 2)[-1:]
    assert [(h.bits, h.clear) for h in last or [Hold()]] == [
        (h.bits, h.clear) for h in plain or [Hold()]
    ]


@given(SAID)
def test_its_state_is_all_there_is_of_it(said: list[Said]) -> None:
    for hold in _run(said, (2, 4), 3):
        assert Hold.of_state(hold.state()) == hold


@given(st.text(max_size=400))
def test_a_memory_is_found_again_under_a_key_that_fits_the_table(name: str) -> None:
    key = memory_key("a.rule", name)
    assert len(key) <= 255
    assert named_by(key, {"entity": name}) == ("a.rule", name)
    assert memory_key("a.rule", name + "x") != key
