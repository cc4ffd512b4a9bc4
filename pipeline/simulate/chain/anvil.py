"""anvil, a real node of the Foundry tools: started here, or reached by its address."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from web3 import HTTPProvider

from pipeline.simulate.chain.node import FAUCET_ADDRESS, RICH

__all__ = ["Anvil", "find", "run"]

LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")


class Anvil(HTTPProvider):
    """A running anvil that mines when told.

    Parameters
    ----------
    url : str
        Its HTTP address; WebSocket is at the same port.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, exception_retry_configuration=None)
        self.url = url
        self.websocket = "ws" + url.removeprefix("http")
        self._told("evm_setAutomine", False)
        self._told("anvil_setBalance", FAUCET_ADDRESS, hex(RICH))

    def mine(self, timestamp: int) -> None:
        """Mine what waits into a block of that time."""
        self._told("evm_setNextBlockTimestamp", timestamp)
        self._told("evm_mine")

    def _told(self, method: str, *params: object) -> None:
        answer = self.make_request(method, list(params))
        if "error" in answer:
            raise ValueError(f"{method}: {answer['error']}")


def find() -> str | None:
    """Path of the program: ``ANVIL`` in the environment, or on the path; None without one."""
    return os.environ.get("ANVIL") or shutil.which("anvil")


@contextmanager
def run(program: str, timestamp: int) -> Iterator[Anvil]:
    """Start anvil on a free port, with a genesis of that time; it ends with the context.

    Raises
    ------
    OSError
        The program does not start; the message holds what it said.
    """
    command = [program, "--port", "0", "--no-mining", "--timestamp", str(timestamp)]
    process = subprocess.Popen(
        [*command, "--order", "fees", "--gas-limit", "30000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    # It logs every request: a pipe that nobody empties would stop it.
    emptied = Thread(target=deque, args=(process.stdout, 0), daemon=True)
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if found := LISTENING.search(line):
                break
        else:
            raise OSError(f"{program} ended: {''.join(said)[-500:]}")
        emptied.start()
        yield Anvil(f"http://127.0.0.1:{found[1]}")
    finally:
        process.terminate()
        process.wait()
        if emptied.ident is not None:
            emptied.join()
        process.stdout.close()
