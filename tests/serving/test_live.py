"""Changes as they happen: each once, in order, and what was missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from serving import live
from serving.live import Live, TooManyError, TooSlowError
from serving.store.tables import changes

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def write(store: sa.Engine, *subjects: str) -> None:
    """Changes, one after another."""
    with store.begin() as connection:
        for subject in subjects:
            row = {"at": NOON, "kind": "alert", "subject": subject, "fields": {}}
            connection.execute(changes.insert().values(**row))


def run(body: Callable[[], Awaitable[Any]]) -> Any:
    """What a coroutine gives, within five minutes."""
    return asyncio.run(asyncio.wait_for(body(), 300))  # type: ignore[arg-type]


def test_each_page_is_told_each_change_once(store: sa.Engine) -> None:
    async def body() -> None:
        hub = Live(store, 10)
        write(store, "before")
        async with hub.page() as one, hub.page() as two:
            write(store, "a", "b")
            for following in (one, two):
                assert [(await following())["subject"] for _ in range(2)] == ["a", "b"]
            write(store, "c")
            assert (await one())["subject"] == "c"

    run(body)


def test_what_was_missed_is_told_if_it_is_known(store: sa.Engine) -> None:
    async def body() -> None:
        hub = Live(store, 10)
        write(store, "a", "b", "c")
        found = await hub.missed(1)
        assert [row["subject"] for row in found or ()] == ["b", "c"]
        assert await hub.missed(3) == []
        assert await hub.missed(99) is None
        assert (await hub.snapshot())["sequence"] == 3

    run(body)


def test_pages_are_not_more_than_they_may_be(store: sa.Engine) -> None:
    async def body() -> None:
        hub = Live(store, 1)
        async with hub.page():
            with pytest.raises(TooManyError):
                async with hub.page():
                    pass
        async with hub.page():
            pass

    run(body)


def test_a_slow_page_is_let_go_and_the_others_are_told(
    store: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_WAITING", 5)

    async def body() -> None:
        hub = Live(store, 10)
        async with hub.page() as slow, hub.page() as quick:
            for at in range(3):
                write(store, f"{at}a", f"{at}b")
                assert [(await quick())["subject"] for _ in range(2)] == [f"{at}a", f"{at}b"]
            for _ in range(4):
                await slow()
            with pytest.raises(TooSlowError):
                await slow()

    run(body)
