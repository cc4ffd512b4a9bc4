"""The checkpoint gives back what was written, on both databases, and waits for a lock."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from features.trading import SYMBOL_5S
from pipeline.database import open_engine
from pipeline.stream.checkpoint import (
    Adoption,
    Checkpoint,
    Intent,
    SourceState,
    ViewState,
    recorded,
)
from tests.postgres import postgres, postgres_url
from tests.streams import AFTER, loop_of, sources_of, write_events

__all__ = ["postgres", "postgres_url"]

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
SOURCE = SourceState("s", "trades", {"file": "a", "at": 5}, 7, 1, 2, NOW, b"\x00held")
VIEW = ViewState(SYMBOL_5S.name, b"p\x00", b"q", NOW, None, NOW, "f.npz", "m", "ok", "d", 4, 3, 2)
INTENT = Intent(1, NOW, {"s": {"at": 5}}, {"v": Adoption("m", None, "ok", "d")}, flush=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Checkpoint]:
    url = (
        f"sqlite:///{tmp_path}/store.db"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    engine = open_engine(url)
    yield Checkpoint(engine)
    engine.dispose()


def nothing(connection: sa.Connection) -> None: ...


def test_what_was_written_comes_back(checkpoint: Checkpoint) -> None:
    assert (checkpoint.state().step, checkpoint.state().intent) == (0, None)
    checkpoint.intend(INTENT)
    assert (checkpoint.state().step, checkpoint.state().intent) == (0, INTENT)
    checkpoint.commit(INTENT, [SOURCE], [VIEW], nothing)
    state = checkpoint.state()
    assert (state.step, state.intent, state.committed) == (1, None, NOW)
    assert (state.sources, state.views) == ({"s": SOURCE}, {SYMBOL_5S.name: VIEW})
    checkpoint.intend(Intent(2, NOW))
    assert checkpoint.state().committed == NOW


def test_what_was_learned_comes_back_in_order_until_it_is_in_a_file(checkpoint: Checkpoint) -> None:
    for step in (2, 10, 11):
        learned = {"v": bytes([step]), "w": b"\x00"} if step < 11 else {"w": None}
        checkpoint.commit(Intent(step, NOW), [], [], nothing, learned)
    assert checkpoint.state().learned == {"v": [(2, b"\x02"), (10, b"\x0a")]}
    assert Checkpoint(checkpoint.engine, "other").state().learned == {}


def test_nothing_is_written_when_the_sink_fails(checkpoint: Checkpoint) -> None:
    def fail(connection: sa.Connection) -> None:
        raise RuntimeError("no")

    checkpoint.intend(INTENT)
    with pytest.raises(RuntimeError, match="no"):
        checkpoint.commit(INTENT, [SOURCE], [VIEW], fail)
    state = checkpoint.state()
    assert (state.step, state.intent, state.sources, state.views) == (0, INTENT, {}, {})


def test_loops_share_a_database_and_nothing_else(checkpoint: Checkpoint) -> None:
    other = Checkpoint(checkpoint.engine, "other")
    checkpoint.commit(INTENT, [SOURCE], [VIEW], nothing)
    assert (other.state().step, other.state().sources) == (0, {})


def test_a_fault_keeps_when_it_began(checkpoint: Checkpoint) -> None:
    checkpoint.fault("s", "down", failures=1, since=NOW, retry_at=NOW)
    checkpoint.fault("s", "down", failures=2, since=AFTER, retry_at=AFTER)
    assert checkpoint.state().faults == {
        "s": {"source": "s", "error": "down", "failures": 2, "since": NOW, "retry_at": AFTER}
    }
    checkpoint.fault("s", None)
    assert checkpoint.state().faults == {}


def test_a_reader_sees_the_same_and_makes_no_table(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.intend(Intent(1, NOW))
    checkpoint.fault("s", "down", failures=1)
    assert recorded(checkpoint.engine, checkpoint.loop) == checkpoint.state()
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    assert recorded(other, "stream") is None
    assert sa.inspect(other).get_table_names() == []
    other.dispose()


def test_a_loop_does_the_same_on_both_databases(checkpoint: Checkpoint, tmp_path: Path) -> None:
    write_events(tmp_path / "events", {"trades": 200})
    url = checkpoint.engine.url.render_as_string(hide_password=False)
    loops = [
        loop_of(tmp_path / name, sources_of(tmp_path / "events", 50), url=u)
        for name, u in (("one", url), ("two", None))
    ]
    for loop in loops:
        loop.replay(AFTER)
        loop.close()
    assert_frame_equal(*(loop.lake.windows(SYMBOL_5S.name) for loop in loops), check_exact=True)
    assert loops[0].checkpoint.state() == loops[1].checkpoint.state()
    for loop in loops:
        loop.checkpoint.engine.dispose()


@pytest.mark.parametrize("seconds", [0.5, pytest.param(10.0, marks=pytest.mark.slow)])
def test_a_locked_database_is_waited_for(tmp_path: Path, seconds: float) -> None:
    checkpoint = Checkpoint(open_engine(f"sqlite:///{tmp_path}/store.db"))
    holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    tried = threading.Event()
    writer = threading.Thread(
        target=lambda: (tried.set(), checkpoint.commit(INTENT, [SOURCE], [VIEW], nothing))
    )
    writer.start()
    tried.wait()
    writer.join(timeout=seconds)
    assert writer.is_alive()
    assert checkpoint.state().step == 0
    holder.execute("COMMIT")
    holder.close()
    writer.join()
    assert checkpoint.state().step == 1
    checkpoint.engine.dispose()


def test_a_transaction_that_was_locked_out_is_begun_again(tmp_path: Path) -> None:
    checkpoint = Checkpoint(open_engine(f"sqlite:///{tmp_path}/store.db"))
    calls = []

    def locked_once(connection: sa.Connection) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise sa.exc.OperationalError("COMMIT", {}, Exception("database is locked"))

    checkpoint.commit(INTENT, [SOURCE], [], locked_once)
    assert len(calls) == 2
    assert checkpoint.state().step == 1
    checkpoint.engine.dispose()
