"""The last blocks of a chain, each the parent of the next, and how they change."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from pipeline.sources.source import SourceError

__all__ = ["DeepReorganisationError", "Linked", "Ring", "Step"]


class Linked(Protocol):
    """A block as far as its place in the chain goes."""

    @property
    def number(self) -> int: ...

    @property
    def hash(self) -> str: ...

    @property
    def parent(self) -> str: ...


B = TypeVar("B", bound=Linked)


class DeepReorganisationError(SourceError):
    """The chain changed deeper than blocks wait for confirmation: windows hold what is undone.

    Nothing repairs this by itself: people decide from which block to read again.
    """


@dataclass(frozen=True)
class Step(Generic[B]):
    """A block that joins the chain's end, or leaves it."""

    kind: Literal["apply", "retract"]
    block: B


class Ring(Generic[B]):
    """The newest blocks, linked by parent hashes.

    Parameters
    ----------
    depth : int
        How many blocks are kept: a reorganisation of that many can be followed.
    """

    def __init__(self, depth: int) -> None:
        self._blocks: deque[B] = deque(maxlen=depth)

    @property
    def tip(self) -> B | None:
        """The newest block, None before the first."""
        return self._blocks[-1] if self._blocks else None

    def follow(self, head: B, fetch: Callable[[str], B]) -> list[Step[B]]:
        """The steps from the ring's tip to a new head, retracts before applies.

        Parameters
        ----------
        head : Linked
            The node's newest block.
        fetch : callable
            Gives the block of a hash.

        Raises
        ------
        DeepReorganisationError
            None of the ring's blocks is an ancestor of the head. The ring then begins anew
            with it, so that what comes after is followed.
        """
        if self.tip is None:
            self._blocks.append(head)
            return [Step("apply", head)]
        known = {block.hash for block in self._blocks}
        if head.hash in known:  # nothing new, or a node that lags behind
            return []
        oldest = self._blocks[0].number
        fresh: list[B] = []
        block = head
        while block.hash not in known:
            fresh.append(block)
            if block.number <= oldest:
                top = self.tip
                self._blocks.clear()
                self._blocks.append(head)
                raise DeepReorganisationError(
                    f"block {head.number} {head.hash} does not descend from any of blocks "
                    f"{oldest} to {top.number}; expected a reorganisation of fewer blocks"
                )
            block = fetch(block.parent)
        steps: list[Step[B]] = []
        while self._blocks[-1].hash != block.hash:
            steps.append(Step("retract", self._blocks.pop()))
        for joined in reversed(fresh):
            self._blocks.append(joined)
            steps.append(Step("apply", joined))
        return steps
