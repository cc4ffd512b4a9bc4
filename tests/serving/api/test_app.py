"""The application as a whole: its description, and whether it is ready."""

from __future__ import annotations

import asyncio
import gc
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


def test_what_starting_made_is_not_looked_through_for_garbage_until_it_stops(call: Caller) -> None:
    async def settled() -> int:
        async with call.app.router.lifespan_context(call.app):
            async with asyncio.timeout(30):
                while not gc.get_freeze_count():
                    await asyncio.sleep(0)
            assert call.house.scorers.ready
            return len(gc.get_objects())

    before = len(gc.get_objects())
    assert asyncio.run(settled()) < before / 2
    assert gc.get_freeze_count() == 0
