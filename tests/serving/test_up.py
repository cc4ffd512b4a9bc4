"""The whole house in a process of its own: from an empty directory to an alert on its route."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pipeline.config import read_config
from pipeline.database import open_engine, reading
from serving.store.tables import outbox
from serving.up import configured, repeat
from tests.serving.uprunning import PATIENCE_S, tocsin

PUSHED = """\
home: house
serving: {port: 0}
sources:
  - {kind: push, name: hosts, stream: host}
"""


def until(found: Callable[[], Any]) -> Any:
    """What is found once it is there."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if given := found():
            return given
        time.sleep(0.05)
    raise AssertionError("it did not come")


def test_an_empty_directory_becomes_a_house_that_scores(tmp_path: Path) -> None:
    configured(tmp_path / "tocsin.yaml", report=lambda line: None)
    whole = (tmp_path / "tocsin.yaml").read_text() + "serving: {port: 0}\n"
    (tmp_path / "tocsin.yaml").write_text(whole)
    with tocsin("up", folder=tmp_path) as running, running.http() as http:
        assert sum("toc_" in line for line in running.lines) == 1
        assert http.get("/healthz").json() == {"status": "ok"}
        until(lambda: http.get("/readyz").status_code == 200)
        window = {"entity": "db-1", "cpu_max": 86.0}
        given = {"view": "system.host_1m", "window": window}
        answer = http.post("/v1/score", json=given).json()
        (score,) = answer["scores"]
        assert answer["state"] in ("degraded: thresholds only", "ok")
        assert any("86 %" in reason for reason in score["reasons"])
    assert {file.name for file in tmp_path.iterdir()} == {"tocsin.yaml", ".tocsin"}


def test_the_first_configuration_is_one_that_can_be_used(tmp_path: Path) -> None:
    said: list[str] = []
    config = configured(tmp_path / "tocsin.yaml", report=said.append)
    assert {source["kind"] for source in config.sources} == {"host", "push"}
    assert config == configured(tmp_path / "tocsin.yaml", report=said.append)
    assert len(said) == 1


def test_a_busy_processor_becomes_a_high_alert_on_its_route(tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text(PUSHED)
    now = datetime.now(UTC)
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=3)
    rows = [
        {"ts": (minute + timedelta(seconds=at)).isoformat(), "host": "db-1", "cpu": cpu}
        for at, cpu in ((5, 86.0), (35, 86.0), (130, 20.0))
    ]
    with tocsin("up", folder=tmp_path) as running, running.http() as http:
        pushed = http.post("/v1/events/host", json=rows).json()
        assert (pushed["accepted"], pushed["refused"]) == (3, 0)
        alert = until(lambda: http.get("/v1/alerts", params={"entity": "db-1"}).json()["items"])[0]
        assert (alert["severity"], alert["state"]) == ("high", "firing")
        assert alert["family"].startswith("host.cpu")
        incident = http.get(f"/v1/incidents/{alert['incident']}").json()
        told = {message["channel"] for message in incident["messages"]}
        assert {"pagerduty", "sms", "chat"} <= told
        assert incident["timeline"][0]["what"] == "fired"
        first = http.get("/v1/incidents").json()["items"][0]
        assert first["id"] == alert["incident"]
    engine = open_engine(read_config(tmp_path / "tocsin.yaml").store_url)
    with reading(engine) as connection:
        assert {row.route for row in connection.execute(outbox.select())} >= {"high"}
    engine.dispose()


@pytest.mark.parametrize("half", ["stream", "serve"])
def test_each_half_runs_and_stops_by_itself(tmp_path: Path, half: str) -> None:
    (tmp_path / "tocsin.yaml").write_text(PUSHED)
    with tocsin(half, folder=tmp_path) as running:
        listening = any("listening" in line for line in running.lines)
        assert listening is (half == "serve")


def test_what_fails_is_told_once_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    stop = Event()
    faults = [OSError("a"), OSError("b"), ValueError("c"), None, OSError("d"), None]

    def act() -> None:
        fault = faults.pop(0)
        if not faults:
            stop.set()
        if fault is not None:
            raise fault

    repeat(act, 0.0, stop, stop.wait)
    said = [line.split(": ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    again = "works again"
    assert said == ["OSError: a", "ValueError: c", again, "OSError: d", again]


def test_what_was_stopped_while_it_waited_does_not_act() -> None:
    stop = Event()

    def wait(seconds: float) -> None:
        assert seconds == 5.0
        stop.set()

    repeat(lambda: pytest.fail("it acted"), 5.0, stop, wait)
    assert stop.is_set()
