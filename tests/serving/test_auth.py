"""The gatekeeper: keys remembered for a moment, requests counted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from serving.api.problems import ProblemError
from serving.auth import Gatekeeper
from serving.store.keys import Principal, Role, make_key, revoke_key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_revoked_key_is_forgotten_after_five_seconds(
    store: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [100.0]
    monkeypatch.setattr("serving.auth.time.monotonic", lambda: at[0])
    gatekeeper = Gatekeeper(store, lambda: NOON)
    with store.begin() as connection:
        key = make_key(connection, "a", Role.VIEWER, who="test", now=NOON)
    assert gatekeeper.key(key) is not None
    with store.begin() as connection:
        revoke_key(connection, key.split("_")[1], who="test", now=NOON)
    at[0] += 4.9
    assert gatekeeper.key(key) is not None
    at[0] += 0.2
    assert gatekeeper.key(key) is None


def test_requests_come_back_with_time(store: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    at = [100.0]
    monkeypatch.setattr("serving.auth.time.monotonic", lambda: at[0])
    gatekeeper = Gatekeeper(store, lambda: NOON)
    one, other = Principal("a", Role.VIEWER, 60), Principal("b", Role.VIEWER, 60)
    for _ in range(10):
        gatekeeper.count(one)
    with pytest.raises(ProblemError) as refused:
        gatekeeper.count(one)
    assert refused.value.headers == {"Retry-After": "1"} or refused.value.status == 429
    gatekeeper.count(other)
    at[0] += 1.0
    gatekeeper.count(one)
