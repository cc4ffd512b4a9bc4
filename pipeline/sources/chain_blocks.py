"""Blocks of a chain with all that belongs to them, fetched in as few requests as nodes take."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

from pipeline.sources import chain_decode as decode
from pipeline.sources import chain_state
from pipeline.sources.chain_events import Event, Interface
from pipeline.sources.chain_events import decode as decode_event
from pipeline.sources.chain_rows import Mined, Watched
from pipeline.sources.chain_rpc import MalformedError, RefusedError, Rpc, UnsupportedError
from pipeline.sources.source import SourceError

__all__ = ["LARGEST", "Blocks"]

TRACER = {"tracer": "callTracer"}
KEPT = 128
"""Blocks kept in memory, so that each stream and each lane does not fetch them again."""
LARGEST = 64
"""Blocks asked for at once at most; how many really is found out."""
AIM = 2_000
"""Transactions that a request should bring: memory is bounded, busy chain or quiet."""


class Blocks:
    """Blocks with receipts, call trees, known events and the state of watched accounts.

    Parameters
    ----------
    rpc : Rpc
        The nodes.
    watched : mapping of address to Watched, or None
        Whose state is asked for.
    traces : bool
        Whether call trees are asked for.
    known : mapping
        Events that mean something; see `chain_events.interfaces`.

    Attributes
    ----------
    span : int
        Blocks asked for at once now: more after a success, half as many after a failure.
    """

    def __init__(
        self,
        rpc: Rpc,
        watched: Mapping[str, Watched] | None,
        *,
        traces: bool,
        known: Mapping[tuple[str, int], Interface],
    ) -> None:
        self.span = 1
        self._taken = LARGEST
        self._rpc = rpc
        self._watched = watched
        self._traces = traces
        self._known = dict(known)
        self._kept: OrderedDict[str, Mined] = OrderedDict()

    def head(self) -> int:
        """Number of the newest block."""
        return self._rpc.ask("eth_blockNumber", [], _quantity)

    def read(self, first: int, last: int) -> list[Mined]:
        """Blocks by number, both ends included, in as few requests as the nodes take."""
        mined: list[Mined] = []
        while first <= last:
            upto = min(last, first + self.span - 1)
            try:
                mined += self._fetch(list(range(first, upto + 1)))
            except RefusedError:
                if self.span == 1:
                    raise
                self._halve()
                continue
            except SourceError:
                self._halve()
                raise
            self._adapt(mined[first - upto - 1 :])
            first = upto + 1
        for before, after in pairwise(mined):
            if after.parent != before.hash:
                raise SourceError(
                    f"block {after.number} has the parent {after.parent}; expected {before.hash}: "
                    "the chain changed while it was read"
                )
        return mined

    def by_hash(self, text: str) -> Mined:
        """The block of a hash, whether it is in the chain now or was before."""
        if text in self._kept:
            return self._kept[text]
        block = self._rpc.ask("eth_getBlockByHash", [text, True], decode.block)
        return self._complete([block])[0]

    def _fetch(self, numbers: Sequence[int]) -> list[Mined]:
        return self._complete(
            self._rpc.ask_all(
                [
                    ("eth_getBlockByNumber", [hex(n), True], partial(_numbered, wanted=n))
                    for n in numbers
                ]
            )
        )

    def _complete(self, blocks: Sequence[decode.Block]) -> list[Mined]:
        """Blocks with all that belongs to them; what is in memory is not asked again."""
        fresh = [block for block in blocks if block.hash not in self._kept]
        busy = [block for block in fresh if block.transactions]
        receipts = dict(zip((b.hash for b in busy), self._receipts(busy), strict=True))
        traces = dict(zip((b.hash for b in busy), self._call_trees(busy), strict=True))
        mined = []
        for block in fresh:
            given = receipts.get(block.hash, ())
            events = tuple(tuple(self._events(receipt)) for receipt in given)
            mined.append(Mined(block, given, traces.get(block.hash), events))
        states = chain_state.ask(self._rpc, mined, self._watched)
        for one, state in zip(mined, states, strict=True):
            self._kept[one.hash] = replace(one, state=state)
        found = [self._kept[block.hash] for block in blocks]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def _events(self, receipt: decode.Receipt) -> Iterator[Event]:
        for log in receipt.logs:
            if event := decode_event(log, self._known):
                yield event

    def _receipts(self, blocks: Sequence[decode.Block]) -> list[tuple[decode.Receipt, ...]]:
        def parse(block: decode.Block) -> Callable[[Any], tuple[decode.Receipt, ...]]:
            return lambda answer: decode.receipts(answer, block)

        try:
            return self._rpc.ask_all([("eth_getBlockReceipts", [b.hash], parse(b)) for b in blocks])
        except UnsupportedError:
            answers = iter(self._each("eth_getTransactionReceipt", [], blocks))
            return [decode.receipts([next(answers) for _ in b.transactions], b) for b in blocks]

    def _call_trees(
        self, blocks: Sequence[decode.Block]
    ) -> list[tuple[tuple[decode.Call, ...], ...] | None]:
        def parse(block: decode.Block) -> Callable[[Any], tuple[tuple[decode.Call, ...], ...]]:
            return lambda answer: decode.traces(answer, block)

        if not self._traces:
            return [None] * len(blocks)
        try:
            return [
                *self._rpc.ask_all(
                    [("debug_traceBlockByHash", [b.hash, TRACER], parse(b)) for b in blocks]
                )
            ]
        except UnsupportedError:
            answers = iter(self._each("debug_traceTransaction", [TRACER], blocks))
            return [tuple(decode.calls(next(answers)) for _ in b.transactions) for b in blocks]

    def _each(self, method: str, more: list[Any], blocks: Sequence[decode.Block]) -> list[Any]:
        """Answers for every transaction of the blocks, from nodes that give none by block."""
        return self._rpc.ask_all(
            [(method, [t.hash, *more], lambda a: a) for b in blocks for t in b.transactions]
        )

    def close(self) -> None:
        """Forget the blocks in memory."""
        self._kept.clear()
        self._rpc.close()

    def _adapt(self, blocks: Sequence[Mined]) -> None:
        count = sum(len(mined.block.transactions) for mined in blocks)
        if count > 2 * AIM:
            self.span = max(1, self.span // 2)
        elif count < AIM and len(blocks) == self.span:
            # By doubling up to what was refused before, and from there one by one.
            self._taken = max(self._taken, self.span + 1)
            self.span = min(2 * self.span, self._taken, LARGEST)

    def _halve(self) -> None:
        self.span = self._taken = max(1, self.span // 2)


def _quantity(answer: Any) -> int:
    return decode.number({"head": answer}, "head")


def _numbered(answer: Any, wanted: int) -> decode.Block:
    block = decode.block(answer)
    if block.number != wanted:
        raise MalformedError(f"number = {block.number}; expected {wanted}")
    return block
