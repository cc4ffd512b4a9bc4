"""Live until told to stop: the pages answer, alerts are told, and it ends cleanly."""

from __future__ import annotations

import os
import re
import signal
import threading
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.demo_run import live

PATIENCE_S = 300.0
SHORT: dict[str, Any] = {"quiet": timedelta(minutes=1), "numbers": {4}}


def test_it_serves_tells_and_ends_on_a_signal(tmp_path: Path) -> None:
    said: list[str] = []
    listening, told = threading.Event(), threading.Event()
    answers: list[httpx.Response] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("listening on"):
            listening.set()
        if "hidden   S4 attack" in line:
            told.set()

    def visitor() -> None:
        try:
            assert listening.wait(PATIENCE_S)
            url = next(line for line in said if line.startswith("listening on")).split()[-1]
            password = re.search(r"password (\S+);", "\n".join(said))
            assert password is not None
            given = {"name": "demo", "password": password[1]}
            answers.append(httpx.post(f"{url}/v1/session", json=given, timeout=PATIENCE_S))
            told.wait(PATIENCE_S)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=visitor)
    thread.start()
    code = live(
        tmp_path,
        seed=1,
        speed=1e4,
        port=0,
        say=say,
        progress=lambda: nullcontext(lambda step, share: None),
        **SHORT,
    )
    thread.join()
    assert code == 0
    assert told.is_set()
    assert [answer.status_code for answer in answers] == [200]
    assert "attacks were found" in said[-1]


def test_what_stops_by_itself_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def broken(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("serving.demo_run._play", broken)
    code = live(
        tmp_path,
        seed=1,
        speed=60.0,
        port=0,
        say=said.append,
        progress=lambda: nullcontext(lambda step, share: None),
        **SHORT,
    )
    assert code == 1
    assert "stopped: OSError: no space left" in said
