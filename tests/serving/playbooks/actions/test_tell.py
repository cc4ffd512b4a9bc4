"""Words for people: one message a channel, however often the step is performed."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from serving.playbooks.action import ParameterError
from serving.store.tables import outbox
from tests.serving.playbooks.actions.acting import Bench, action, stored

NOTICE = {"audience": "users", "subject": "Withdrawals wait", "text": "Your funds are safe."}


@pytest.mark.parametrize(
    ("name", "given", "channels", "title"),
    [
        ("tell.audience", NOTICE, ["chat"], "Withdrawals wait"),
        ("tell.audience", {**NOTICE, "channels": ["email", "chat", "email"]}, ["email", "chat"],
         "Withdrawals wait"),
        ("ticket.open", {"summary": "Look", "text": "At it."}, ["ticket"], "Look"),
        ("status_page.update", {"status": "identified", "text": "We know."}, ["status_page"],
         "Status: identified"),
    ],
)  # fmt: skip
def test_a_message_is_put_into_the_outbox_once(
    bench: Bench, name: str, given: dict[str, Any], channels: list[str], title: str
) -> None:
    tell, context = action(name), bench.context()
    assert title in tell.plan(context, given)
    intent = stored(tell.prepare(context, given))
    assert not tell.verify(context, intent)
    for _ in range(3):
        tell.perform(context, intent)
    assert tell.verify(context, intent)
    with bench.engine.connect() as connection:
        rows = connection.execute(sa.select(outbox)).all()
    assert sorted(row.channel for row in rows) == sorted(channels)
    assert {(row.payload["title"], row.payload["why"]) for row in rows} == {(title, given["text"])}
    assert {row.incident for row in rows} == {"incident"}


def test_another_step_is_another_message(bench: Bench) -> None:
    for _ in range(2):
        bench.do("tell.audience", **NOTICE)
    with bench.engine.connect() as connection:
        assert len(connection.execute(sa.select(outbox)).all()) == 2


@pytest.mark.parametrize(
    ("name", "given", "complaint"),
    [
        ("tell.audience", {**NOTICE, "text": " "}, "text is ' '"),
        ("tell.audience", {**NOTICE, "channels": [1]}, "a list of texts"),
        ("status_page.update", {"status": "fine", "text": "x"}, "one of investigating"),
        ("ticket.open", {"summary": "x", "text": "y" * 10_001}, "text is"),
    ],
)
def test_wrong_parameters_are_named(
    bench: Bench, name: str, given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ParameterError, match=complaint):
        action(name).plan(bench.context(), given)
