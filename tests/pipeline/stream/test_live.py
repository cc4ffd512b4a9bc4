"""A configuration runs: pushes and this machine become windows, and it stops when it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from polars.testing import assert_frame_equal

from features.silence import batch_windows
from features.trading import SYMBOL_5S, TRADES
from pipeline.config import Config, read_config
from pipeline.lake import Lake
from pipeline.sources.kinds import build
from pipeline.stream.live import checkpoint_of, run, stream_status
from tests.streams import AFTER, made_up

ROOT = Path(__file__).parents[3]


def config_of(home: Path) -> Config:
    return Config.model_validate(
        {
            "home": home,
            "batch": 50,
            "models": "cold",
            "views": [SYMBOL_5S.name],
            "sources": [{"kind": "push", "name": "p", "stream": "trades"}],
        }
    )


def test_what_was_pushed_becomes_the_windows_of_a_backfill(tmp_path: Path) -> None:
    config, rows = config_of(tmp_path), made_up(TRADES, 200)
    build(config, lambda: AFTER).spools["p"].append(rows)
    assert run(config, clock=lambda: AFTER, now=AFTER) > 1
    found = Lake(tmp_path / "lake").windows(SYMBOL_5S.name).select(*SYMBOL_5S.schema)
    assert_frame_equal(found, batch_windows(SYMBOL_5S, rows), rel_tol=1e-9)


def test_the_status_says_how_far_behind_and_what_is_degraded(tmp_path: Path) -> None:
    config, rows = config_of(tmp_path), made_up(TRADES, 200)
    model = tmp_path / "models" / f"{SYMBOL_5S.name}.npz"
    model.parent.mkdir()
    model.write_bytes(b"damaged")
    config = config.model_copy(update={"models": "files"})
    build(config, lambda: AFTER).spools["p"].append(rows)
    run(config, clock=lambda: AFTER, now=AFTER)
    checkpoint = checkpoint_of(config)
    status = stream_status(checkpoint.state(), now=AFTER)
    checkpoint.engine.dispose()
    source, view = status["sources"]["p"], status["views"][SYMBOL_5S.name]
    newest = rows["ts"].max()
    assert isinstance(newest, datetime)
    assert source["lag_seconds"] == (AFTER - newest).total_seconds()
    assert (source["given"], source["refused"], source["error"]) == (200, 0, None)
    assert (source["accepted"], status["unfinished_seconds"]) == (200, None)
    assert status["committed_seconds"] == 0
    assert (view["accepted"], view["late"]) == (200, 0)
    assert view["state"] == "degraded: thresholds only"
    assert "is not a model file" in view["detail"]
    scores = Lake(tmp_path / "lake").windows(f"scores/{SYMBOL_5S.name}")
    assert scores["warm"].any() is False
    assert len(scores) == view["windows"]


def test_a_signal_stops_a_running_loop_between_steps(tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text(
        "home: home\nmodels: cold\nidle_seconds: 5\nsources: [{kind: host, name: here}]\n"
    )
    script = (
        "import sys, pathlib\nfrom datetime import UTC, datetime\n"
        "from pipeline.config import read_config\nfrom pipeline.stream.live import run\n"
        "config = read_config(pathlib.Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "run(config, clock=lambda: datetime.now(UTC), report=print)\n"
        "print('stopped', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "tocsin.yaml")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    config = read_config(tmp_path / "tocsin.yaml")
    checkpoint = checkpoint_of(config)
    while not checkpoint.state().sources:
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=300)
    assert said.endswith("stopped\n")
    assert process.returncode == 0
    state = checkpoint.state()
    checkpoint.engine.dispose()
    assert state.intent is None
    assert state.sources["here.host"].given >= 1
    newest = state.sources["here.host"].newest
    assert newest is not None
    assert datetime.now(UTC) - newest < timedelta(minutes=5)


def test_a_feed_that_fails_is_in_the_status_while_the_others_go_on(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    down = {
        "kind": "prometheus",
        "name": "m",
        "stream": "database",
        "url": "http://127.0.0.1:9/metrics",
        "fields": {"pool_used": "a"},
        "same": {"database": "orders"},
    }
    config = Config.model_validate(
        config.model_dump(exclude_unset=True) | {"sources": [*config.sources, down]}
    )
    checkpoint, stop = checkpoint_of(config), Event()
    loop = Thread(target=run, args=(config,), kwargs={"clock": lambda: AFTER, "stop": stop})
    build(config, lambda: AFTER).spools["p"].append(made_up(TRADES, 200))
    loop.start()
    try:
        while True:
            sources = stream_status(checkpoint.state(), now=AFTER)["sources"]
            if "m" in sources and sources.get("p", {}).get("accepted") == 200:
                break
            assert loop.is_alive()
    finally:
        stop.set()
        loop.join()
    checkpoint.close()
    assert (sources["p"]["error"], sources["m"]["failures"]) == (None, 1)
    assert "Connection refused" in sources["m"]["error"]


def test_a_loop_without_sources_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sources"):
        Config.model_validate({"home": tmp_path, "sources": []})
