"""The server that `benchmarks.bench_api` asks: the house of a folder, and the peers beside it."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray

from benchmarks.bench_score import VIEW
from benchmarks.peers_arms import Composed
from benchmarks.trades import DAY
from pipeline.config import Config
from serving.api.answers import ARROW, as_arrow, as_json
from serving.api.app import make_app
from serving.api.judging import Judged
from serving.api.limits import crossings
from serving.api.matrices import Given, of_frame, of_rows
from serving.api.score import LARGE, read_arrow
from serving.api.shared import At, House
from serving.auth import Operator
from serving.house import House as Whole
from serving.store.keys import Role, make_key

__all__ = ["serve"]

NOW = DAY + timedelta(days=5)
Vector = NDArray[np.float64]


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
    served = house.scorers[VIEW.name]
    scorer = served.scorer
    assert scorer is not None
    arms = Composed(scorer)
    forest = arms.models.forest
    constant = orjson.dumps({"view": VIEW.name, "model": "", "scores": [{"p": 0.5}]})

    def by_arms(given: Given) -> Vector:
        return arms(given)

    def by_forest(given: Given) -> Vector:
        seen = np.nan_to_num(given.values[:, : forest.n_features_in_])
        return np.exp2(forest.score_samples(seen))

    @app.get("/peer/cpu")
    async def cpu(who: Operator) -> float:
        return time.process_time()

    @app.post("/peer/constant")
    async def same(request: Request, house: House, who: Operator, now: At) -> Response:
        question = orjson.loads(await request.body())
        of_rows(VIEW, question["windows"], now)
        return Response(constant, media_type="application/json")

    @app.post("/peer/{name}")
    async def judged(name: str, request: Request, house: House, who: Operator, now: At) -> Response:
        body = await request.body()
        judge = {"arms": by_arms, "forest": by_forest}[name]

        def work() -> Response:
            arrow = request.headers["content-type"] == ARROW
            if arrow:
                given = of_frame(VIEW, read_arrow(body), now)
            else:
                given = of_rows(VIEW, orjson.loads(body)["windows"], now)
            p = judge(given)
            crossed = crossings(VIEW, served.ladders, given)
            found = Judged(p, p * scorer.baseline.active, True, crossed)
            return (as_arrow if arrow else as_json)(served, given, found)

        # As ours: what is short is done at once, what is long beside the loop.
        return await run_in_threadpool(work) if len(body) > LARGE else work()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
