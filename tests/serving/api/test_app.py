"""The application as a whole: its description, and whether it is ready."""

from __future__ import annotations

import os
from pathlib import Path

import orjson

from tests.serving.api.calling import Caller

GOLDEN = Path(__file__).parent / "golden" / "openapi.json"


def test_the_description_is_the_one_that_was_agreed(shared_call: Caller) -> None:
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    found = orjson.dumps(shared_call.app.openapi(), option=options)
    if os.environ.get("TOCSIN_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_bytes(found)
    assert found == GOLDEN.read_bytes(), "write it anew with TOCSIN_GOLDEN=1 if this is meant"


def test_it_is_ready_once_models_were_looked_for_and_its_threads_run(call: Caller) -> None:
    answer = call("GET", "/readyz", role=None)
    assert (answer.status_code, answer.json()) == (503, {"models": "not looked for yet"})
    call.house.scorers.refresh()
    assert call("GET", "/readyz", role=None).status_code == 200
    assert call("GET", "/healthz", role=None).json() == {"status": "ok"}
