"""Shares travel along links, never in circles, and only so far."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import links as module
from models.links import Links

NAMES = "abcde"
chains = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(0, 1)).filter(
        lambda link: link[0] != link[1]
    ),
    max_size=12,
)


def linked(*rows: tuple[str, str, float]) -> Links:
    links = Links()
    for row in rows:
        links.set(*row)
    return links


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rows=chains, depth=st.integers(0, 4))
def test_a_path_visits_no_entity_twice_and_its_share_is_the_product(
    rows: list[tuple[str, str, float]], depth: int
) -> None:
    links = linked(*rows)
    known = {
        (o, target): share for target in links.targets() for o, share in links.into(target).items()
    }
    for origin, (path, share) in links.paths("a", depth).items():
        assert path[0] == origin
        assert path[-1] == "a"
        assert len(set(path)) == len(path) <= depth + 1
        product = 1.0
        for step in itertools.pairwise(path):
            product *= known[step]
        assert share == pytest.approx(product)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rows=chains, order=st.randoms(use_true_random=False))
def test_the_order_of_links_does_not_matter(
    rows: list[tuple[str, str, float]], order: object
) -> None:
    rows = list({row[:2]: row for row in rows}.values())
    paths = linked(*rows).paths("a", 3)
    order.shuffle(rows)  # type: ignore[attr-defined]
    assert linked(*rows).paths("a", 3) == paths


def test_the_path_that_brings_most_wins_though_it_is_longer() -> None:
    links = linked(("a", "c", 0.2), ("a", "b", 0.9), ("b", "c", 0.9))
    assert links.paths("c", 2)["a"] == (("a", "b", "c"), pytest.approx(0.81))
    assert links.paths("c", 1)["a"] == (("a", "c"), 0.2)


def test_what_is_further_than_the_depth_does_not_arrive() -> None:
    links = linked(("a", "b", 1.0), ("b", "c", 1.0), ("c", "d", 1.0))
    assert set(links.paths("d", 2)) == {"b", "c"}
    assert links.paths("d", 0) == {}


def test_a_share_of_nothing_undoes_a_link() -> None:
    links = linked(("a", "b", 0.5), ("a", "b", 0.0))
    assert links.paths("b", 1) == {}
    assert links.targets() == []


def test_targets_are_those_that_something_reaches() -> None:
    links = linked(("a", "b", 0.5), ("b", "c", 0.5), ("a", "d", 0.5), ("a", "d", 0.0))
    assert links.targets() == ["b", "c"]


def test_only_the_strongest_links_are_kept() -> None:
    links = linked(*((f"origin {i:02}", "b", (i + 1) / 40) for i in range(40)))
    assert sorted(links.paths("b", 1)) == [f"origin {i:02}" for i in range(8, 40)]


def test_those_linked_first_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TARGETS", 2)
    links = linked(("a", "b", 0.5), ("a", "c", 0.5), ("a", "d", 0.5))
    assert links.targets() == ["c", "d"]


@pytest.mark.parametrize("row", [("a", "a", 0.5), ("a", "b", 1.1), ("a", "b", -0.1)])
def test_a_link_that_cannot_be_is_refused(row: tuple[str, str, float]) -> None:
    with pytest.raises(ValueError, match="expected two entities and a share from 0 to 1"):
        linked(row)


def test_a_share_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="share nan"):
        linked(("a", "b", float("nan")))
