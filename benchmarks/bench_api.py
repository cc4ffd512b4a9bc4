"""The scoring API on a real server: against a constant answer, and against scikit-learn's forest.

The constant answer is an endpoint of the same application behind the same middleware, key and
validation. The peers of larger requests validate alike and judge by the deviations that ours
sees, with `IsolationForest.score_samples`: one arm of the five that ours runs.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import sklearn
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from sklearn.ensemble import IsolationForest

from benchmarks.bench_score import HISTORY, VIEW, made_up
from benchmarks.harness import Result
from benchmarks.trades import DAY
from pipeline.config import Config
from pipeline.lifecycle.train import model_path
from pipeline.scoring.scorer import Scorer
from serving.api.app import make_app
from serving.api.matrices import of_frame, of_rows
from serving.api.score import ARROW, read_arrow
from serving.api.shared import At, House
from serving.auth import Operator
from serving.house import House as Whole
from serving.store.keys import Role, make_key

__all__ = ["run"]

JSON = "application/json"
TOGETHER = 64
"""Connections at once, each with one request at a time."""
NOW = DAY + timedelta(days=5)


@dataclass(frozen=True)
class Load:
    """Requests of one kind: how many windows in each, how many connections and rounds."""

    name: str
    rows: int
    together: int
    times: int
    arrow: bool = False


LOADS = (
    Load("api.score.1", 1, TOGETHER, 3_200),
    Load("api.score.100", 100, 8, 240),
    Load("api.score.arrow10k", 10_000, 2, 12, arrow=True),
)


def run(quick: bool = False) -> list[Result]:
    """Windows/s of `POST /v1/score`, and for one window the 99th percentile of the time, ms."""
    results = []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (port, key):
        for load in LOADS:
            times = max(load.times // 10, load.together) if quick else load.times
            peer, peer_name = ("/peer/constant", "constant answer")
            if load.rows > 1:
                peer, peer_name = "/peer/forest", f"scikit-learn {sklearn.__version__} forest"
            paths = ("/v1/score", peer)
            calls = [request(port, key, path, load) for path in paths]
            rates: list[list[float]] = [[], []]
            slow: list[list[float]] = [[], []]
            for turn in range(6):
                for side, call in enumerate(calls):
                    seconds, each = asyncio.run(fire(port, call, load.together, times))
                    if turn:
                        rates[side].append(times * load.rows / seconds)
                        slow[side].append(float(np.percentile(each, 99)) * 1e3)
            results.append(told(load.name, rates, peer_name, "windows/s"))
            if load.rows == 1:
                # Of times the smaller is the better.
                results.append(told(f"{load.name}.p99", slow, peer_name, "ms", less=True))
    return results


def told(
    name: str, sides: Sequence[Sequence[float]], peer: str, unit: str, *, less: bool = False
) -> Result:
    """One line of results, of medians."""
    ours, theirs = (statistics.median(side) for side in sides)
    ratio = theirs / ours if less else ours / theirs
    return Result(
        name=name, ours=ours, peer=theirs, peer_name=peer, unit=unit, ratio=ratio, parity=0.0
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

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
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
    await asyncio.gather(*(one() for _ in range(together)))
    return time.perf_counter() - began, each


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, str]]:
    """A server of its own process, with a model: its port and a key."""
    scorer = Scorer(VIEW, seed=0)
    scorer.step(made_up(0, HISTORY))
    scorer.save(model_path(folder, VIEW))
    command = [sys.executable, "-m", "benchmarks.bench_api", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port, key = process.stdout.readline().split()
        try:
            yield int(port), key
        finally:
            process.terminate()


def serve(folder: Path) -> None:
    """Serve the house of a folder, the peers beside it, until told to stop."""
    import uvicorn

    config = Config(home=folder, sources=({"kind": "push", "name": "push", "stream": "trades"},))
    house = Whole.open(config, clock=lambda: NOW)
    house.scorers.refresh()
    with house.engine.begin() as connection:
        given = {"who": "bench", "now": NOW, "per_minute": 10**9}
        key = make_key(connection, "bench", Role.OPERATOR, **given)
    app = make_app(house)
    peers(app, house)

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            print(self.servers[0].sockets[0].getsockname()[1], key, flush=True)

    Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False)).run()


def peers(app: FastAPI, house: Whole) -> None:
    """The endpoints that ours is compared with."""
    scorer = house.scorers[VIEW.name].scorer
    assert scorer is not None
    (arm,) = [arm for arm in scorer.arms if arm.name == "isolation_forest"]
    forest = IsolationForest(random_state=0).fit(arm.of(scorer.history.rows))
    constant = orjson.dumps({"view": VIEW.name, "model": "", "scores": [{"p": 0.5}]})

    @app.post("/peer/constant")
    async def same(request: Request, house: House, who: Operator, now: At) -> Response:
        question = orjson.loads(await request.body())
        of_rows(VIEW, question["windows"], now)
        return Response(constant, media_type=JSON)

    @app.post("/peer/forest")
    async def judged(request: Request, house: House, who: Operator, now: At) -> Response:
        body = await request.body()
        if request.headers["content-type"] == ARROW:
            frame = await run_in_threadpool(read_arrow, body)
            given = of_frame(VIEW, frame, now)
        else:
            given = of_rows(VIEW, orjson.loads(body)["windows"], now)
        seen = np.nan_to_num(given.values[:, : forest.n_features_in_])
        raw = -await run_in_threadpool(forest.score_samples, seen)
        if request.headers["content-type"] != ARROW:
            return Response(orjson.dumps({"scores": raw.tolist()}), media_type=JSON)
        out = io.BytesIO()
        pl.DataFrame({"entity": given.entity, "score": raw}).write_ipc_stream(out)
        return Response(out.getvalue(), media_type=ARROW)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
