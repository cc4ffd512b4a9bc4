"""Views, models, entities over HTTP."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from features.catalogue import VIEWS
from serving.store.keys import Role
from tests.serving.api.calling import HOST, Caller


def test_every_view_tells_its_features(shared_call: Caller) -> None:
    listed = shared_call.get("/v1/views", role=Role.VIEWER)
    assert [view["name"] for view in listed] == list(VIEWS)
    one = shared_call.get(f"/v1/views/{HOST.name}")
    assert [feature["name"] for feature in one["features"]] == list(HOST.names)
    assert shared_call("GET", "/v1/views/none").status_code == 404


def test_models_say_how_they_stand(shared_call: Caller) -> None:
    states = {model["state"] for model in shared_call.get("/v1/models")}
    assert states == {"degraded: thresholds only"}


@pytest.mark.parametrize("name", ["a", "web/1|/dev/sda 1", "0xabc?x=1#y"])
def test_an_entity_tells_its_risk_and_what_made_it(call: Caller, name: str) -> None:
    call.fire({name: 90.0})
    (risky,) = call.get("/v1/entities")
    assert risky["entity"] == name
    found = call.get(f"/v1/entities/{quote(name, safe='')}", role=Role.VIEWER)
    assert found["risk"] == pytest.approx(risky["risk"])
    assert found["contributions"][0]["path"] == [name]
    assert sum(part["points"] for part in found["contributions"]) == pytest.approx(found["risk"])
    assert [alert["entity"] for alert in found["alerts"]] == [name]
    assert call.get("/v1/entities/unknown")["risk"] == 0


def test_models_say_how_rare_a_window_must_be_and_what_verdicts_made_of_it(call: Caller) -> None:
    def shown() -> dict[str, object]:
        (found,) = (one for one in call.get("/v1/models") if one["view"] == HOST.name)
        names = ("budget", "real", "noise", "worth", "threshold")
        return {name: found[name] for name in names}

    assert shown() == dict.fromkeys(("budget", "threshold")) | {"real": 0, "noise": 0, "worth": 1.0}
    call.house.alerts()
    told = {"real": 0, "noise": 0, "worth": 1.0}
    assert shown() == {"budget": 1.0, "threshold": 1.0, **told}
