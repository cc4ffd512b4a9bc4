"""The canary: a test that arrives, says that it is one, and is on record."""

from __future__ import annotations

import sqlalchemy as sa

from serving.notify.canary import canary
from serving.store.tables import audit, outbox
from tests.serving.notify.servers import Reply, Web
from tests.serving.notify.telling import NOON, channel


def test_a_test_arrives_marked_as_one_and_is_on_record(
    store: sa.Engine, web: Web, secret: str
) -> None:
    pager = channel("pagerduty", routing_key="${SECRET}", url=web.url)
    assert canary(store, pager, who="ann", now=NOON).outcome == "sent"
    assert web.requests[0].json["payload"]["summary"].startswith("TEST, nothing is wrong")
    with store.connect() as connection:
        (entry,) = connection.execute(sa.select(audit)).mappings()
        assert connection.execute(sa.select(outbox)).first() is None
    assert (entry["who"], entry["what"]) == ("ann", "channel.test")
    assert entry["subject"] == "pagerduty"


def test_a_test_that_fails_says_why(store: sa.Engine, web: Web, secret: str) -> None:
    web.answer = lambda request: Reply(400, {"errors": ["Invalid routing key"]})
    pager = channel("pagerduty", routing_key="${SECRET}", url=web.url)
    answer = canary(store, pager, who="ann", now=NOON)
    assert answer.outcome == "refused"
    assert "Invalid routing key" in answer.detail
