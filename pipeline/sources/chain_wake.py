"""A new head is a wake-up and nothing more: what is new, the follower asks for itself.

Notices may be lost, doubled or late; a loop that also looks by the clock misses nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from threading import Event, Thread

from web3 import AsyncWeb3, WebSocketProvider

__all__ = ["WakeUp"]

PAUSE = 1.0
"""Seconds from a broken connection to the next attempt."""


class WakeUp:
    """Listen for new heads over WebSocket, in a thread of its own.

    Parameters
    ----------
    url : str
        ``ws://...`` or ``wss://...``.
    pause : float
        Seconds from a broken connection to the next attempt.

    Attributes
    ----------
    counts : Counter
        ``connected``, ``heads`` and ``broken``.
    """

    def __init__(self, url: str, *, pause: float = PAUSE) -> None:
        self._url = url
        self._pause = pause
        self._new = Event()
        self._loop = asyncio.new_event_loop()
        self._closed = asyncio.Event()
        self.counts: Counter[str] = Counter()
        self._thread = Thread(target=self._run, name="chain wake-up", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Wait for a new head, so many seconds at most; whether there was one."""
        woken = self._new.wait(timeout)
        self._new.clear()
        return woken

    def close(self) -> None:
        """Close the connection and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closed.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._listen())
        finally:
            self._loop.close()

    async def _listen(self) -> None:
        closed = asyncio.create_task(self._closed.wait())
        while not closed.done():
            listening = asyncio.create_task(self._heads())
            await asyncio.wait({listening, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                listening.cancel()
            # However a connection ends, the next attempt is the answer; the clock looks meanwhile.
            await asyncio.gather(listening, return_exceptions=True)
            if not closed.done():
                self.counts["broken"] += 1
                await asyncio.wait({closed}, timeout=self._pause)

    async def _heads(self) -> None:
        async with AsyncWeb3(WebSocketProvider(self._url, max_connection_retries=1)) as node:
            await node.eth.subscribe("newHeads")
            self.counts["connected"] += 1
            # Heads may have come while nobody listened.
            self._new.set()
            async for _ in node.socket.process_subscriptions():
                self.counts["heads"] += 1
                self._new.set()
