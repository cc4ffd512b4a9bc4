"""Sessions: signed in, known, signed out; guesses are few."""

from __future__ import annotations

from serving.store.keys import Role
from tests.serving.api.calling import PASSWORD, Caller


def test_a_session_is_a_cookie_that_only_our_pages_can_use(call: Caller) -> None:
    call.person("ann", Role.RESPONDER)
    given = {"name": "ann", "password": PASSWORD}
    answer = call("POST", "/v1/session", role=None, json=given)
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("secure", "httponly", "samesite=strict", "path=/"))
    assert answer.json()["role"] == "responder"
    assert PASSWORD not in answer.text


def test_who_signs_out_is_out(call: Caller) -> None:
    cookie, csrf = call.person("ann", Role.VIEWER)
    headers = {"Cookie": f"tocsin_session={cookie}", "x-csrf-token": csrf}
    who = call("GET", "/v1/session", role=None, headers=headers).json()
    assert who == {"name": "ann", "role": "viewer", "csrf": csrf}
    assert call("DELETE", "/v1/session", role=None, headers=headers).status_code == 204
    assert call("GET", "/v1/session", role=None, headers=headers).status_code == 401


def test_a_wrong_name_and_a_wrong_password_are_answered_alike(call: Caller) -> None:
    call.person("ann", Role.VIEWER)
    said = [
        call("POST", "/v1/session", role=None, json={"name": name, "password": word})
        for name, word in (("ann", "wrong password"), ("eve", PASSWORD))
    ]
    assert [answer.status_code for answer in said] == [401, 401]
    assert said[0].json() == said[1].json()


def test_guesses_are_few(call: Caller) -> None:
    call.app.state.tries = None
    del call.app.state.tries
    given = {"name": "eve", "password": "guess"}
    asked = [call("POST", "/v1/session", role=None, json=given).status_code for _ in range(12)]
    assert asked.count(429) == 2


def test_a_key_is_known_and_has_nothing_to_end(shared_call: Caller) -> None:
    who = shared_call.get("/v1/session", role=Role.OPERATOR)
    assert who == {"name": "key:operator", "role": "operator", "csrf": ""}
    assert shared_call("DELETE", "/v1/session", role=Role.OPERATOR).status_code == 204
