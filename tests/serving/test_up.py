"""The whole house in a process of its own: from an empty directory to an alert on its route."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import pytest

from features.system.host import HOST_1M
from pipeline.config import read_config
from pipeline.console import error_code
from pipeline.database import open_engine, reading
from pipeline.lake import Lake
from pipeline.stream.live import checkpoint_of
from pipeline.stream.loop import Loop, StreamBusyError
from serving import up
from serving.house import House
from serving.store.tables import outbox
from serving.up import configured, repeat
from tests.serving.uprunning import PATIENCE_S, tocsin

AT = datetime(2026, 3, 1, tzinfo=UTC)
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


def test_the_stream_keeps_the_lake_as_long_as_its_views_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tocsin.yaml").write_text(PUSHED)
    config = read_config(tmp_path / "tocsin.yaml")
    lake, old = Lake(config.home / "lake"), datetime(2024, 5, 1, tzinfo=UTC)
    rows = {"entity": ["db-1"], "start": [old], "end": [old + timedelta(minutes=1)]}
    lake.append(HOST_1M.name, pl.DataFrame(rows))
    monkeypatch.setattr(up, "LAKE_S", 0.0)
    house, stop = House.open(config, clock=lambda: old + timedelta(days=31)), Event()
    (thread,) = (one for one in up._stream(house, stop, []) if one.name == "lake")
    thread.start()
    try:
        until(lambda: lake.windows(HOST_1M.name).is_empty())
    finally:
        stop.set()
        thread.join()
        house.close()
    assert "lake: 1 rows of system.host_1m were older" in capsys.readouterr().err


HOST = "{kind: host, name: a}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sources: [{kind: filez, name: x}]", "'filez' found using 'kind'"),
        ("sources: [{kind: files, name: x, stream: trade, path: x}]", "'trade': expected one of"),
        ("sources: [{kind: push, name: x, stream: host, limit_mb: lots}]", "limit_mb = 'lots'"),
        (f"sources: [{HOST}, {HOST}]", "sources: a is there 2 times; expected once"),
        (f"sources: {HOST}", "sources: expected a list"),
        (f"sources: [{HOST}]\nserving: {{playbooks: [a]}}", "playbooks: expected names and values"),
        (f"sources: [{HOST}]\nhome: /proc/none", "home = /proc/none: .*; expected a folder"),
        (f"sources: [{HOST}]\nserving: {{rules: [none.yaml]}}", "none.yaml: No such file"),
        (f"sources: [{HOST}]\nstore: 'sqlite:////none/at.db'", "store sqlite:.* cannot be used"),
        (f"sources: [{HOST}]\nstore: 'postgresql+psycopg://u@127.0.0.1:1/x'", "Connection refused"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_runs(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "tocsin.yaml").write_text(text)
    said: list[str] = []
    with pytest.raises(Exception, match=told) as fault:
        up.up(configured(tmp_path / "tocsin.yaml"), clock=lambda: AT, report=said.append)
    assert error_code(fault.value) == 2
    assert said == []


def test_what_stops_the_stream_ends_the_house_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text(PUSHED)
    config, said = configured(tmp_path / "tocsin.yaml"), list[str]()
    checkpoint = checkpoint_of(config)
    other = Loop([], [], lake=Lake(config.home / "lake"), checkpoint=checkpoint, home=config.home)
    with pytest.raises(StreamBusyError, match="another process runs") as fault:
        up.up(config, clock=lambda: AT, serve=False, report=said.append)
    other.close()
    checkpoint.close()
    assert error_code(fault.value) == 4


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
