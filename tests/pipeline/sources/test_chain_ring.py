"""Steps lead from any chain to any other that shares a block of the ring."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.chain_ring import DeepReorganisationError, Ring


@dataclass(frozen=True)
class Block:
    number: int
    hash: str
    parent: str


def chain(forks: list[tuple[int, int]]) -> list[list[Block]]:
    """Chains: each keeps all but its predecessor's last blocks and adds some of its own."""
    chains = [[Block(0, "0", "")]]
    for fork, (undone, added) in enumerate(forks):
        blocks = chains[-1][: max(1, len(chains[-1]) - undone)]
        for _ in range(added):
            number = blocks[-1].number + 1
            blocks = [*blocks, Block(number, f"{number}.{fork}", blocks[-1].hash)]
        chains.append(blocks)
    return chains


def follow(ring: Ring[Block], seen: list[Block], to: list[Block]) -> None:
    known = {block.hash: block for block in to}
    for step in ring.follow(to[-1], known.__getitem__):
        if step.kind == "retract":
            assert seen.pop() == step.block
        else:
            assert not seen or step.block.parent == seen[-1].hash
            seen.append(step.block)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3)), max_size=8))
def test_the_steps_rebuild_the_chain(forks: list[tuple[int, int]]) -> None:
    ring: Ring[Block] = Ring(7)
    seen: list[Block] = []
    for blocks in chain([(undone, undone + more) for undone, more in forks]):
        follow(ring, seen, blocks)
        assert seen == blocks


def test_a_head_that_is_known_is_no_news() -> None:
    ring: Ring[Block] = Ring(4)
    seen: list[Block] = []
    blocks = chain([(0, 5)])[-1]
    follow(ring, seen, blocks[:1])
    follow(ring, seen, blocks)
    follow(ring, seen, blocks[:-2])  # a node that lags behind
    assert seen == blocks


@pytest.mark.parametrize("undone", [2, 3, 4])
def test_what_is_too_deep_is_named_and_what_comes_after_is_followed(undone: int) -> None:
    ring: Ring[Block] = Ring(3)
    seen: list[Block] = []
    old, new, more = chain([(0, 6), (undone, 7), (0, 1)])[1:]
    for end in range(1, len(old) + 1):
        follow(ring, seen, old[:end])
    if undone < 3:
        follow(ring, seen, new)
        assert seen == new
        return
    with pytest.raises(DeepReorganisationError, match="expected a reorganisation of fewer"):
        follow(ring, seen, new)
    assert ring.tip == new[-1]
    assert [s.kind for s in ring.follow(more[-1], lambda h: new[-1])] == ["apply"]
