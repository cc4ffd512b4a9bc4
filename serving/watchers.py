"""What looks at chains ahead of the stream: their newest blocks, and what waits to be mined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Event

import sqlalchemy as sa

from pipeline.config import reveal
from pipeline.sources.chain_kind import ChainOf
from serving.alerts.engine import AlertEngine
from serving.alerts.ledger import Ledger
from serving.heads import Heads
from serving.house import House

__all__ = ["Watcher", "watchers"]

HEADS_S, PENDING_S = 1.0, 0.25


@dataclass(frozen=True)
class Watcher:
    """What is looked at again and again.

    Parameters
    ----------
    name : str
    every : float
        Seconds between two looks.
    look : callable
    wait : callable, optional
        Waits so many seconds, or less where something new is announced.
    close : callable
        Gives up connections.
    """

    name: str
    every: float
    look: Callable[[], object]
    close: Callable[[], None]
    wait: Callable[[float], object] | None = None


def watchers(house: House, news: Event) -> list[Watcher]:
    """Of each chain that is a source its newest blocks; pending transactions where asked for.

    Parameters
    ----------
    house : House
    news : threading.Event
        Set when a chain announces a block, which makes another one deep enough for the stream.
    """
    return [*_heads(house, news), *_pending(house)]


def _heads(house: House, news: Event) -> Iterator[Watcher]:
    for given in house.config.sources:
        if given.get("kind") != "chain":
            continue
        kind = ChainOf.model_validate(given)
        name, chain = kind.name, kind.follower(house.config)
        heads = Heads(name, chain, house.packs, house.engine, _ledgers(house))

        def look(heads: Heads = heads) -> object:
            return heads.tick(now=house.clock())

        if kind.websocket is None:
            yield Watcher(f"heads of {name}", HEADS_S, look, heads.close)
            continue
        from pipeline.sources.chain_wake import WakeUp

        woken = WakeUp(reveal(kind.websocket))

        def wait(seconds: float, woken: WakeUp = woken) -> None:
            if woken.wait(seconds):
                news.set()

        def close(heads: Heads = heads, woken: WakeUp = woken) -> None:
            woken.close()
            heads.close()

        yield Watcher(f"heads of {name}", HEADS_S, look, close, wait)


def _pending(house: House) -> Iterator[Watcher]:
    asked, service = house.settings.playbooks, house.settings.playbooks.services.chain
    if not asked.preempt or service is None:
        return
    from pipeline.sources.chain_rpc import Rpc
    from serving.playbooks.actions.chain import Chain
    from serving.playbooks.preempt import Preempt

    rpc = Rpc([reveal(endpoint) for endpoint in service.endpoints])
    vaults = {name: service.contracts[name] for name in asked.preempt}
    preempt = Preempt(house.engine, rpc, Chain(rpc, {}, vaults), vaults, _ledgers(house))
    yield Watcher(
        "pending transactions", PENDING_S, lambda: preempt.tick(now=house.clock()), rpc.close
    )


def _ledgers(house: House) -> Callable[[sa.Connection, datetime], Ledger]:
    return lambda connection, now: house.ledger(connection, AlertEngine.group, now=now)
