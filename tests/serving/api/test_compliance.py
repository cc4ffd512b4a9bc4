"""How the rules of the house itself are kept."""

from __future__ import annotations

from datetime import timedelta

from serving.api.compliance import compliance
from serving.store.tables import audit_head, incidents
from tests.serving.api.calling import Caller


def lines(call: Caller) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["value"], one["state"]) for one in compliance(call.house, call.now)}


def test_a_fresh_house_keeps_its_rules(call: Caller) -> None:
    assert {state for _, state in lines(call).values()} == {"ok"}


def test_a_trail_that_does_not_end_where_it_should_is_bad(call: Caller) -> None:
    with call.house.engine.begin() as connection:
        connection.execute(audit_head.update().values(hash="0" * 64))
    assert lines(call)["Audit trail"][1] == "bad"


def test_what_is_not_written_down_not_judged_and_silenced_is_counted(call: Caller) -> None:
    call.fire({"a": 90.0})
    with call.house.engine.begin() as connection:
        connection.execute(incidents.update().values(playbook="performance_degradation"))
    (alert,) = call.get("/v1/alerts")["items"]
    call.post("/v1/alerts/acts", {"ids": [alert["id"]], "what": "resolve"})
    ends = (call.now + timedelta(hours=1)).isoformat()
    matcher = {"label": "entity", "operator": "=", "value": "a"}
    call.post("/v1/silences", {"matchers": [matcher], "ends_at": ends, "comment": "x"})
    found = lines(call)
    assert found["Incident documentation"] == ("0 of 1", "warn")
    assert found["Alerts judged"] == ("0 of 1", "warn")
    assert found["Silences in force"] == ("1", "warn")
    given = {"ids": [alert["id"]], "what": "verdict", "verdict": "real"}
    call.post("/v1/alerts/acts", given)
    assert lines(call)["Alerts judged"] == ("1 of 1", "ok")
