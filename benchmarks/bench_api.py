"""The scoring API on a real server: against a constant answer, and against the same by libraries.

The constant answer is an endpoint of the same application behind the same middleware, key and
validation. The peers of larger requests read, validate and answer alike: one judges by the same
arms put together from scikit-learn and River, one by scikit-learn's forest alone, which is one arm
of five. Neither gives reasons. Under ``.cpu`` stands what a request costs the server's processor.
"""

from __future__ import annotations

import asyncio
import io
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import river
import sklearn

from benchmarks.bench_score import HISTORY, VIEW, made_up
from benchmarks.harness import Result
from pipeline.lifecycle.train import model_path
from pipeline.scoring.scorer import Scorer
from serving.api.answers import ARROW

__all__ = ["run"]

JSON = "application/json"
TOGETHER = 64
"""Connections at once, each with one request at a time."""


@dataclass(frozen=True)
class Load:
    """Requests of one kind: how many windows in each, how many connections and rounds.

    ``peers`` are the paths of what it is compared with, and how many requests each is sent.
    """

    name: str
    rows: int
    together: int
    times: int
    peers: tuple[tuple[str, int], ...]
    arrow: bool = False


LOADS = (
    Load("api.score.1", 1, TOGETHER, 3_200, (("constant", 3_200),)),
    Load("api.score.100", 100, 8, 240, (("arms", 80), ("forest", 160))),
    Load("api.score.arrow10k", 10_000, 2, 12, (("arms", 4), ("forest", 12)), arrow=True),
)
CONSTANT = "constant answer"
FOREST = f"scikit-learn {sklearn.__version__} forest"
ARMS = f"scikit-learn {sklearn.__version__} and river {river.__version__}, a batch at a time"
PEERS = {"constant": CONSTANT, "arms": ARMS, "forest": FOREST}
ROUNDS = 6
"""Of each kind; the first is not counted."""


@dataclass
class Measured:
    """What each round of one side came to."""

    rate: list[float] = field(default_factory=list)
    slow: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def run(quick: bool = False) -> list[Result]:
    """Windows/s of `POST /v1/score`, the server's CPU, ms, and for one window the time of 99 %."""
    results = []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (port, key):
        for load in LOADS:
            sides = {"/v1/score": (load.times, Measured())}
            sides |= {f"/peer/{name}": (times, Measured()) for name, times in load.peers}
            for turn in range(ROUNDS):
                for path, (whole, found) in sides.items():
                    times = max(whole // 10, load.together) if quick else whole
                    call = request(port, key, path, load)
                    before = spent(port, key)
                    seconds, each = asyncio.run(fire(port, call, load.together, times))
                    if turn:
                        found.rate.append(times * load.rows / seconds)
                        found.slow.append(float(np.percentile(each, 99)) * 1e3)
                        found.cpu.append((spent(port, key) - before) / times * 1e3)
            ours = sides["/v1/score"][1]
            apart = parity(port, key, load) if load.rows > 1 else 0.0
            for name, _ in load.peers:
                peer, said = sides[f"/peer/{name}"][1], PEERS[name]
                line = load.name if name != "forest" else f"{load.name}.forest"
                same = apart if name == "arms" else 0.0
                results.append(told(line, (ours.rate, peer.rate), said, "windows/s", same))
                cpu = (ours.cpu, peer.cpu)
                results.append(told(f"{line}.cpu", cpu, said, "ms/call", less=True))
                if load.rows == 1:
                    slow = (ours.slow, peer.slow)
                    results.append(told(f"{line}.p99", slow, said, "ms", less=True))
    return results


def told(
    name: str,
    sides: Sequence[Sequence[float]],
    peer: str,
    unit: str,
    parity: float = 0.0,
    *,
    less: bool = False,
) -> Result:
    """One line of results, of medians; of times and costs less is better."""
    ours, theirs = (statistics.median(side) for side in sides)
    ratio = theirs / ours if less else ours / theirs
    return Result(
        name=name, ours=ours, peer=theirs, peer_name=peer, unit=unit, ratio=ratio, parity=parity
    )


def request(port: int, key: str, path: str, load: Load) -> bytes:
    """One request as bytes."""
    windows = made_up(HISTORY, load.rows)
    kind, query = JSON, ""
    if load.arrow:
        out = io.BytesIO()
        windows.write_ipc_stream(out)
        body, kind, query = out.getvalue(), ARROW, f"?view={VIEW.name}"
    else:
        rows = [
            {**row, "start": row["start"].isoformat(), "end": row["end"].isoformat()}
            for row in windows.iter_rows(named=True)
        ]
        body = orjson.dumps({"view": VIEW.name, "windows": rows})
    head = (
        f"POST {path}{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def fire(port: int, call: bytes, together: int, times: int) -> tuple[float, list[float]]:
    """Send a request so many times; the seconds of all, and of each."""
    left, each = iter(range(times)), []

    # Connected before the clock starts: with so few requests the wait to be let in would be the
    # slowest hundredth.
    doors = [await asyncio.open_connection("127.0.0.1", port) for _ in range(together)]

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in left:
            began = time.perf_counter()
            writer.write(call)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            each.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(*door) for door in doors))
    return time.perf_counter() - began, each


def answered(port: int, call: bytes) -> bytes:
    """The body of one answer."""
    with socket.create_connection(("127.0.0.1", port)) as door, door.makefile("rb") as stream:
        door.sendall(call)
        lines = iter(stream.readline, b"\r\n")
        heads = dict(line.lower().split(b": ", 1) for line in lines if b": " in line)
        return stream.read(int(heads[b"content-length"]))


def spent(port: int, key: str) -> float:
    """Seconds of processor time, user and system, that the server has taken."""
    head = f"GET /peer/cpu HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
    return float(orjson.loads(answered(port, head.encode())))


def parity(port: int, key: str, load: Load) -> float:
    """How far apart the probabilities of ours and of the same arms by libraries are."""
    sides = []
    for path in ("/v1/score", "/peer/arms"):
        body = answered(port, request(port, key, path, load))
        if load.arrow:
            sides.append(pl.read_ipc_stream(io.BytesIO(body))["p"].to_numpy())
        else:
            sides.append(np.array([row["p"] for row in orjson.loads(body)["scores"]]))
    return float(np.abs(sides[0] - sides[1]).max())


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, str]]:
    """A server of its own process, with a model: its port and a key."""
    scorer = Scorer(VIEW, seed=0)
    scorer.step(made_up(0, HISTORY))
    scorer.save(model_path(folder, VIEW))
    command = [sys.executable, "-m", "benchmarks.api_server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port, key = process.stdout.readline().split()
        try:
            yield int(port), key
        finally:
            process.terminate()
