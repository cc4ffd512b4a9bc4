"""How a run begins: once, with what the alert knows, in shadow where the playbook says so."""

from __future__ import annotations

import sqlalchemy as sa

from serving.playbooks.start import fill, run_id, start
from serving.store.tables import run_steps, runs
from tests.serving.playbooks.running import ALERT, INCIDENT, NOON, playbook


def test_an_incident_has_one_run_of_a_playbook_however_often_it_starts(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        first = start(connection, playbook(), INCIDENT, ALERT, now=NOON)
        again = start(connection, playbook(), INCIDENT, ALERT, now=NOON)
        count = connection.execute(sa.select(sa.func.count()).select_from(run_steps)).scalar_one()
    assert first == again == run_id("test_book", "incident1", {"contract": "0xvault"})
    assert count == 3


def test_an_incident_has_a_run_for_each_thing_that_its_alerts_name(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        found = [
            start(connection, playbook(), INCIDENT, {**ALERT, "entity": name}, now=NOON)
            for name in ("0xvault", "0xother", "0xvault")
        ]
    assert found[0] == found[2] != found[1]


def test_a_run_knows_the_alert_and_when_it_began(engine: sa.Engine) -> None:
    shadow = playbook().model_copy(update={"shadow": True})
    with engine.begin() as connection:
        start(connection, shadow, INCIDENT, ALERT, now=NOON)
        row = connection.execute(sa.select(runs)).mappings().one()
    assert row["mode"] == "shadow"
    assert row["parameters"]["contract"] == "0xvault"
    assert row["parameters"]["started"] == "12:00 UTC"
    assert row["parameters"]["outflow"] == 30.0


def test_facts_of_steps_fill_texts_lists_and_whole_values() -> None:
    known = {"vector": {"suspects": ["a", "b"]}, "n": 3}
    assert fill("{vector.suspects}", known) == ["a", "b"]
    assert fill({"x": ["{n} of {gone.fact}"]}, known) == {"x": ["3 of "]}


def test_a_step_whose_target_the_alert_does_not_name_is_not_needed(engine: sa.Engine) -> None:
    book = playbook(needs=["contract"])
    with engine.begin() as connection:
        named = start(connection, book, INCIDENT, ALERT, now=NOON)
        other = start(connection, book, {"id": "two"}, {**ALERT, "entity": ""}, now=NOON)
        found = sa.select(run_steps.c.run, run_steps.c.state, run_steps.c.why)
        first = connection.execute(found.where(run_steps.c.step == "pause")).all()
    assert {row.run: (row.state, row.why) for row in first} == {
        named: ("waiting", ""),
        other: ("skipped", "not needed: the alert names no contract"),
    }
