"""Actions on the platform, over a real HTTP server: one effect, verified, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving.playbooks.action import ActionError, ParameterError
from serving.playbooks.actions.admin import client
from tests.serving.playbooks.actions.acting import Bench, action, stored

TOKEN = "drill"
PAIRS = [
    ("platform.gate_trading", {}, "gates/trading", "platform.open_trading"),
    (
        "platform.gate_withdrawals",
        {"scope": "contract", "name": "0xab"},
        "gates/withdrawals/contract/0xab",
        "platform.open_withdrawals",
    ),
    ("account.freeze", {"account": ["a/1", "b"]}, "accounts/a%2F1", "account.unfreeze"),
    ("key.throttle", {"key": "k", "per_minute": 6}, "keys/k", "key.unthrottle"),
    ("key.revoke", {"key": ["k", "l"]}, "keys/l", ""),
    ("market.halt", {"symbol": "BTC-USD"}, "markets/BTC-USD", "market.resume"),
    ("feed.fail_over", {"feed": "f", "to": "spare"}, "feeds/f", "feed.restore"),
    ("service.scale", {"service": "api", "replicas": 4}, "services/api", ""),
    ("service.roll_back", {"service": "api", "version": "0.9"}, "services/api", ""),
    ("service.ramp", {"percent": 25}, "gates/load", ""),
    ("service.shed", {"percent": 10}, "gates/load", "service.let_all_in"),
    ("deploys.freeze", {}, "deploys", "deploys.unfreeze"),
    ("database.kill_query", {"query": "17"}, "database/queries/17", ""),
    ("queue.drain_to_dead_letter", {"queue": "mail"}, "queues/mail", "queue.redrive"),
]


@pytest.fixture
def served(bench: Bench) -> Iterator[Bench]:
    with bench.platform.serve() as url, client(url, TOKEN) as platform:
        bench.services["platform"] = platform
        yield bench


@pytest.mark.parametrize(("name", "given", "resource", "back"), PAIRS)
def test_an_effect_is_planned_had_once_verified_and_taken_back(
    served: Bench, name: str, given: dict[str, Any], resource: str, back: str
) -> None:
    act, context = action(name), served.context()
    before = served.platform.state(resource)
    assert act.plan(context, given)
    intent = stored(act.prepare(context, given))
    assert not act.verify(context, intent)
    assert served.platform.log == []
    for _ in range(3):
        act.perform(context, intent)
    assert act.verify(context, intent)
    assert len(served.platform.log) == len(intent["resources"])
    assert served.platform.state(resource) == {**(before or {}), **intent["state"]}
    if back:
        served.do(back, **given)
        assert served.platform.state(resource) == before


def test_an_effect_that_somebody_took_back_is_no_longer_verified(served: Bench) -> None:
    act, context = action("market.halt"), served.context()
    intent = stored(act.prepare(context, {"symbol": "X"}))
    act.perform(context, intent)
    served.do("market.resume", symbol="X")
    assert not act.verify(context, intent)


def test_shedding_load_never_lets_more_in(served: Bench) -> None:
    served.do("service.shed", percent=10)
    with pytest.raises(ParameterError, match="would let more in"):
        action("service.shed").prepare(served.context(), {"percent": 25})
    served.platform.put("gates/load", percent=None)
    with pytest.raises(ParameterError, match="would let more in"):
        action("service.shed").prepare(served.context(), {"percent": 1})


@pytest.mark.parametrize("kind", ["orders", "Order cancels", ""])
def test_a_queue_that_holds_orders_or_does_not_say_is_left_alone(served: Bench, kind: str) -> None:
    served.platform.put("queues/q", kind=kind)
    with pytest.raises(ParameterError, match="no orders"):
        action("queue.drain_to_dead_letter").prepare(served.context(), {"queue": "q"})
    with pytest.raises(ParameterError, match="holds no orders"):
        action("queue.drain_to_dead_letter").plan(served.context(), {"queue": "new-orders"})


@pytest.mark.parametrize(
    ("name", "given", "complaint"),
    [
        ("platform.gate_trading", {"scope": "some"}, "one of all, symbol"),
        ("platform.gate_trading", {"scope": "symbol"}, "name is missing"),
        ("service.scale", {"service": "api", "replicas": 0}, "replicas is '0'"),
        ("service.scale", {"service": "api", "replicas": True}, "replicas is 'True'"),
        ("service.ramp", {"percent": 101}, "from 1 to 100"),
        ("key.throttle", {"key": "k", "per_minute": "fast"}, "per_minute is 'fast'"),
        ("account.freeze", {"account": ["a", 7]}, "a list of texts"),
    ],
)
def test_wrong_parameters_are_named(
    bench: Bench, name: str, given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ParameterError, match=complaint):
        action(name).plan(bench.context(), given)


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, ParameterError), (403, ParameterError), (302, ParameterError), (429, ActionError),
     (500, ActionError), (503, ActionError)],
)  # fmt: skip
def test_an_answer_says_whether_to_try_again(
    bench: Bench, status: int, error: type[Exception]
) -> None:
    bench.services["platform"] = httpx.Client(
        base_url="http://user:hidden@platform",
        transport=httpx.MockTransport(lambda request: httpx.Response(status, json={})),
    )
    with pytest.raises(error) as told:
        action("market.halt").prepare(bench.context(), {"symbol": "X"})
    assert "markets/X" in str(told.value)
    assert "hidden" not in str(told.value)


def test_a_platform_that_is_away_or_talks_nonsense_is_tried_again(bench: Bench) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("secret in a message", request=request)

    for answer in (away, lambda request: httpx.Response(200, text="<html>")):
        bench.services["platform"] = httpx.Client(
            base_url="http://platform", transport=httpx.MockTransport(answer)
        )
        with pytest.raises(ActionError) as told:
            action("market.halt").prepare(bench.context(), {"symbol": "X"})
        assert "secret" not in str(told.value)
    del bench.services["platform"]
    with pytest.raises(ParameterError, match="service platform is missing"):
        action("market.halt").prepare(bench.context(), {"symbol": "X"})


def test_a_wrong_token_does_nothing(bench: Bench) -> None:
    with bench.platform.serve() as url, client(url, "another") as platform:
        bench.services["platform"] = platform
        with pytest.raises(ParameterError, match="refuses with 401") as told:
            action("market.halt").prepare(bench.context(), {"symbol": "X"})
    assert "another" not in str(told.value)
