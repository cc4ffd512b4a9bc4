"""The walk through call trees against a plain reading of its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.call_tree import CALL, CREATES, DELEGATES, ENDS, PLACES, READS, walk

Row = tuple[int, int, int, int, int]
ROWS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from([CALL, CALL, CALL, READS, DELEGATES, CREATES, ENDS]),
        st.integers(0, 4),
        st.integers(0, 4),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=40,
).map(lambda rows: sorted(rows, key=lambda row: row[4]))


def walked(rows: list[Row]) -> dict[str, list[int]]:
    depth, meaning, caller, callee, window = np.array(rows, np.int64).T
    found: NDArray[np.int64] = walk(
        *(np.ascontiguousarray(x) for x in (depth, meaning.astype(np.uint8), caller, callee)),
        np.ascontiguousarray(window),
    )
    return dict(zip(PLACES, found.tolist(), strict=True))


def plainly(rows: list[Row]) -> dict[str, list[int]]:
    """The same, asked of each call alone: who are its ancestors, and what did they do?"""

    def parent(i: int) -> int | None:
        above = [
            j
            for j in range(i)
            if rows[j][4] == rows[i][4]
            and rows[j][0] < rows[i][0]
            and all(rows[k][0] > rows[j][0] for k in range(j + 1, i + 1))
        ]
        return above[-1] if above else None

    def ancestors(i: int) -> list[int]:
        above = parent(i)
        return [] if above is None else [above, *ancestors(above)]

    def owner(i: int) -> int:
        _, meaning, caller, callee, _ = rows[i]
        return caller if meaning == DELEGATES else callee

    def again(i: int, meaning: int) -> int:
        above = ancestors(i)
        if not above or rows[i][1] != meaning or rows[i][3] in (0, owner(above[0])):
            return 0
        return int(rows[i][3] in [owner(j) for j in above[1:]])

    def to_sender(i: int) -> int:
        first = next(row for row in rows if row[4] == rows[i][4])
        return int(rows[i][3] == first[2] > 0)

    def made_before(i: int) -> bool:
        mine = [row for row in rows[:i] if row[4] == rows[i][4]]
        return rows[i][2] > 0 and any(m == CREATES and to == rows[i][2] for _, m, _, to, _ in mine)

    every = range(len(rows))
    return {
        "reentry": [again(i, CALL) for i in every],
        "read_reentry": [again(i, READS) for i in every],
        "inside": [sum(again(j, CALL) for j in ancestors(i)) for i in every],
        "by_created": [int(made_before(i)) for i in every],
        "siblings": [
            sum(parent(j) == parent(i) for j in range(i + 1)) if parent(i) is not None else 0
            for i in every
        ],
        "to_sender": [to_sender(i) for i in every],
    }


@given(rows=ROWS)
def test_the_walk_says_what_its_definition_says(rows: list[Row]) -> None:
    assert walked(rows) == plainly(rows)


def test_a_drain_enters_the_vault_again_through_the_attackers_callback() -> None:
    attacker, vault = 1, 2
    rows = [
        (0, CALL, 3, attacker, 0),
        (1, CALL, attacker, vault, 0),
        (2, CALL, vault, attacker, 0),
        (3, CALL, attacker, vault, 0),
        (4, CALL, vault, attacker, 0),
    ]
    assert walked(rows)["reentry"] == [0, 0, 1, 1, 1]
    assert walked(rows)["inside"] == [0, 0, 0, 1, 2]


def test_a_proxy_that_borrows_code_and_calls_itself_is_not_entered_again() -> None:
    proxy, code = 1, 2
    rows = [
        (0, CALL, 3, proxy, 0),
        (1, DELEGATES, proxy, code, 0),
        (2, CALL, proxy, proxy, 0),
    ]
    assert walked(rows)["reentry"] == [0, 0, 0]


def test_a_call_back_through_borrowed_code_enters_the_borrower_again() -> None:
    proxy, code, other = 1, 2, 4
    rows = [
        (0, CALL, 3, proxy, 0),
        (1, DELEGATES, proxy, code, 0),
        (2, CALL, proxy, other, 0),
        (3, CALL, other, proxy, 0),
        (3, CALL, other, code, 0),
    ]
    assert walked(rows)["reentry"] == [0, 0, 0, 1, 0]


def test_transactions_know_nothing_of_each_other() -> None:
    first = [(0, CREATES, 3, 1, 0), (1, CALL, 1, 2, 0), (2, CALL, 2, 1, 0)]
    again = [(depth, meaning, caller, callee, 1) for depth, meaning, caller, callee, _ in first]
    both = walked(first + again)
    assert {name: values[:3] for name, values in both.items()} == walked(first)
    assert {name: values[3:] for name, values in both.items()} == walked(again)


def test_a_tree_that_begins_below_its_root_has_no_parent() -> None:
    found = walked([(5, CALL, 1, 2, 0), (6, CALL, 2, 1, 0)])
    assert found["siblings"] == [0, 1]
    assert found["reentry"] == [0, 0]
