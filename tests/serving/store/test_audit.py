"""The audit chain: every way to tamper with it is found, writers at once make one chain."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.store.audit import GENESIS, head, record, verify
from serving.store.tables import audit, audit_head

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Tamper = Callable[[sa.Connection], Any]


def _write(engine: sa.Engine, count: int, who: str = "ann") -> None:
    for number in range(count):
        with engine.begin() as connection:
            detail = {"number": number}
            record(connection, who=who, what="test", subject="s", detail=detail, now=NOON)


def _verify(engine: sa.Engine, known: tuple[int, str] | None = None) -> str | None:
    with engine.connect() as connection:
        return verify(connection, known)


def _disarm(connection: sa.Connection) -> None:
    """What somebody with the rights of the database's owner can do."""
    if connection.dialect.name == "sqlite":
        connection.execute(sa.text("DROP TRIGGER audit_no_update"))
        connection.execute(sa.text("DROP TRIGGER audit_no_delete"))
    else:
        connection.execute(sa.text("ALTER TABLE audit DISABLE TRIGGER ALL"))


def _swap(connection: sa.Connection) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        connection.execute(audit.update().where(audit.c.number == old).values(number=new))


def _insert(number: int) -> Tamper:
    def insert(connection: sa.Connection) -> None:
        row = dict(
            connection.execute(sa.select(audit).order_by(audit.c.number)).mappings().all()[1]
        )
        connection.execute(audit.insert().values(**{**row, "number": number}))

    return insert


def _alter(**values: Any) -> Tamper:
    return lambda connection: connection.execute(
        audit.update().where(audit.c.number == 2).values(**values)
    )


def _remove(*numbers: int) -> Tamper:
    return lambda connection: connection.execute(audit.delete().where(audit.c.number.in_(numbers)))


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_alter(who="eve"), "entry 2 was changed"),
        (_alter(detail={}), "entry 2 was changed"),
        (_alter(at=NOON + timedelta(microseconds=1)), "entry 2 was changed"),
        (_remove(2), "entry 2 is missing"),
        (_remove(1), "entry 1 is missing"),
        (_remove(3, 4), "the last entries are missing: 2"),
        (_remove(1, 2, 3, 4), "the last entries are missing: 0"),
        (lambda c: c.execute(audit_head.delete()), "entries after 0 are not on record: 4"),
        (lambda c: c.execute(audit_head.update().values(hash=GENESIS)), "the head does not name"),
        (_swap, "entry 2 does not follow"),
        (_insert(0), "entry 1 is missing"),
        (_insert(5), "entry 5 does not follow"),
    ],
)
def test_every_tampering_is_found(store: sa.Engine, tamper: Tamper, told: str) -> None:
    _write(store, 4)
    assert _verify(store) is None
    with store.begin() as connection:
        _disarm(connection)
        tamper(connection)
    found = _verify(store)
    assert found is not None
    assert told in found


@pytest.mark.parametrize("entry", [audit.update().values(who="eve"), audit.delete()])
def test_the_database_itself_refuses_to_change_the_chain(store: sa.Engine, entry: Any) -> None:
    _write(store, 1)
    with store.begin() as connection, pytest.raises(sa.exc.DBAPIError, match="only grows"):
        connection.execute(entry)
    assert _verify(store) is None


def test_a_chain_written_anew_is_found_by_a_head_that_was_kept_elsewhere(store: sa.Engine) -> None:
    _write(store, 3)
    with store.connect() as connection:
        known = head(connection)
    assert _verify(store, known) is None
    with store.begin() as connection:
        _disarm(connection)
        connection.execute(audit.delete())
        connection.execute(audit_head.update().values(number=0, hash=GENESIS))
    assert _verify(store) is None
    assert "the last entries are missing: 0" in str(_verify(store, known))
    _write(store, 3, who="eve")
    assert _verify(store) is None
    assert "entry 3 is not the one that was known" in str(_verify(store, known))


WRITER = """
import sys
from datetime import UTC, datetime
from pipeline.database import open_engine
from serving.store.audit import record
engine = open_engine(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    with engine.begin() as connection:
        now = datetime.now(UTC)
        record(connection, who=sys.argv[2], what="test", subject="s", detail={}, now=now)
"""


def test_processes_that_write_at_once_make_one_chain(store: sa.Engine) -> None:
    url = store.url.render_as_string()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, who], **pipes)  # type: ignore[call-overload]
        for who in ("ann", "bob")
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=300)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert _verify(store) is None
    with store.connect() as connection:
        assert head(connection)[0] == 20


def test_the_first_entries_of_several_writers_make_one_chain(store: sa.Engine) -> None:
    with store.begin() as connection:
        connection.execute(audit_head.delete())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda who: _write(store, 1, who), "abcd"))
    assert _verify(store) is None


def test_an_entry_stands_or_falls_with_its_transaction(store: sa.Engine) -> None:
    _write(store, 1)
    with store.connect() as connection:
        record(connection, who="ann", what="test", subject="s", detail={}, now=NOON)
        connection.rollback()
    _write(store, 1)
    assert _verify(store) is None


def test_an_empty_chain_is_whole(store: sa.Engine) -> None:
    assert _verify(store) is None
    assert _verify(store, (0, GENESIS)) is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text("ab"), inner),
    max_leaves=5,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    detail=st.dictionaries(st.text("abc", max_size=3), JSON, max_size=3),
    at=st.datetimes(
        datetime(2000, 1, 1),
        datetime(2100, 1, 1),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]),
    ),
)
def test_whatever_is_recorded_is_read_back_as_it_was_sealed(
    store: sa.Engine, detail: dict[str, Any], at: datetime
) -> None:
    with store.begin() as connection:
        record(connection, who="ann", what="test", subject="s", detail=detail, now=at)
        assert verify(connection) is None
