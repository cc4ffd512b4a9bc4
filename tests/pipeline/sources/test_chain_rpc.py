"""Endpoints that fail, limit or lie: the next is asked, and nothing is asked too soon."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.chain_rpc import (
    MalformedError,
    RefusedError,
    Rpc,
    UnreachableError,
    UnsupportedError,
)
from pipeline.sources.source import SourceError

Answer = dict[str, Any]


class Told:
    """An endpoint that answers what it is told to, or raises it."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    def make_request(self, method: str, params: Any) -> Any:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def make_batch_request(self, requests: Any) -> Any:
        return self.make_request("batch", requests)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def good(value: Any = 7) -> Answer:
    return {"jsonrpc": "2.0", "id": 1, "result": value}


def error(code: int, message: str = "no") -> Answer:
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}


def number(answer: Any) -> int:
    if not isinstance(answer, int):
        raise MalformedError(f"{answer!r}; expected a number")
    return answer


BROKEN = [
    ConnectionError("gone"),
    TimeoutError("late"),
    ValueError("not JSON"),
    "a text",
    {"neither": 1},
    good("seven"),
    error(-32005, "limit exceeded"),
    error(-32000, "header not found"),
    error(-32601, "no such method"),
    error(-32600, "method eth_x is not available"),
    {"error": "words"},
]


@pytest.mark.parametrize("fault", BROKEN)
def test_whatever_the_first_does_the_second_answers(fault: Any) -> None:
    rpc = Rpc([Told(fault), Told(good())])
    assert rpc.ask("eth_x", [], number) == 7
    assert rpc.counts["failed_over"] == 1
    assert sum(n for word, n in rpc.counts.items() if word not in {"asked", "failed_over"}) == 1


@pytest.mark.parametrize("fault", BROKEN)
def test_where_none_answers_the_error_has_a_name(fault: Any) -> None:
    with pytest.raises(SourceError, match=r"endpoint 0.*endpoint 1"):
        Rpc([Told(fault), Told(fault)]).ask("eth_x", [], number)


@pytest.mark.parametrize(
    ("fault", "means"),
    [
        (ConnectionError(), UnreachableError),
        (error(-32601), UnsupportedError),
        (error(-32000), RefusedError),
    ],
)
def test_the_error_says_what_to_do(fault: Any, means: type[SourceError]) -> None:
    with pytest.raises(means):
        Rpc([Told(fault)]).ask("eth_x", [], number)


def test_who_failed_rests_longer_each_time_and_is_asked_again() -> None:
    clock, first, second = Clock(), Told(ConnectionError()), Told(good())
    rpc = Rpc([first, second], clock=clock)
    asked = []
    for clock.now in (0.0, 0.9, 1.1, 2.9, 3.2):
        rpc.ask("eth_x", [], number)
        asked.append(first.asked)
    assert asked == [1, 1, 2, 2, 3]  # rests of 1, then 2 seconds
    first.answers = [good()]
    clock.now = 100.0
    rpc.ask("eth_x", [], number)
    assert (first.asked, rpc.counts["failed_over"]) == (4, 5)


def test_who_has_no_such_method_is_not_asked_for_it_again() -> None:
    lacking = Told(error(-32601))
    rpc = Rpc([lacking, Told(good())])
    for _ in range(3):
        assert rpc.ask("eth_x", [], number) == 7
    assert lacking.asked == 1
    lacking.answers = [good(8)]
    assert rpc.ask("eth_y", [], number) == 8


def test_a_batch_is_answered_by_one_endpoint_in_order() -> None:
    half = Told([good(1), error(-32000)])
    whole = Told([good(3), good(4)])
    questions = [("eth_x", [], number), ("eth_x", [], number)]
    assert Rpc([half, whole]).ask_all(questions) == [3, 4]
    for short in ([good(1)], {"a": 1}, None):
        with pytest.raises(UnreachableError, match="malformed"):
            Rpc([Told(short)]).ask_all(questions)


def test_it_needs_an_endpoint() -> None:
    with pytest.raises(ValueError, match="expected one or more"):
        Rpc([])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["result", "error", "code", "message", "x"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
@settings(max_examples=200)
def test_any_answer_is_an_answer_or_a_counted_fault(answer: Any) -> None:
    rpc = Rpc([Told(answer)])
    try:
        rpc.ask("eth_x", [], number)
    except SourceError:
        words = {"malformed", "refused", "unsupported", "limited"}
        assert sum(rpc.counts[word] for word in words) == 1
    else:
        assert isinstance(answer["result"], int)


@contextmanager
def serving(reply: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            reply(self)

        def log_message(self, *args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return reply


def saying(body: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return reply


@pytest.mark.parametrize(
    ("after", "still", "again"), [("30", 29.0, 31.0), (None, 0.9, 1.1), ("soon", 0.9, 1.1)]
)
def test_a_limit_is_kept_for_as_long_as_asked(
    after: str | None, still: float, again: float
) -> None:
    clock, spare = Clock(), Told(good())
    headers = {} if after is None else {"Retry_After": after}
    with serving(status(429, **headers)) as url:
        rpc = Rpc([url, spare], clock=clock)
        for clock.now in (0.0, still, again):
            assert rpc.ask("eth_x", [], number) == 7
    assert (rpc.counts["limited"], rpc.counts["resting"]) == (2, 1)


def test_a_batch_too_large_is_refused_and_not_a_failure() -> None:
    with serving(status(413)) as url, pytest.raises(RefusedError, match="too large"):
        Rpc([url]).ask("eth_x", [], number)


@pytest.mark.parametrize("body", ["", "<html>", '{"result"', "[]", "null", "\udcff"])
def test_a_body_that_is_not_an_answer_is_malformed(body: str) -> None:
    with serving(saying(body.encode("utf-8", "ignore").decode())) as url:
        rpc = Rpc([url])
        with pytest.raises(UnreachableError, match="malformed"):
            rpc.ask("eth_x", [], number)
    assert rpc.counts["malformed"] == 1


def shallow(text: bytes) -> Any:
    raise RecursionError("as Python 3.12 does in C")


@pytest.mark.parametrize("loads", [json.loads, shallow])
def test_calls_nested_as_deep_as_the_machine_allows_can_be_read(
    loads: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = SimpleNamespace(loads=loads, JSONDecoder=json.JSONDecoder)
    monkeypatch.setattr("pipeline.sources.chain_rpc.json", reader)
    nested: Any = {"type": "CALL"}
    text = json.dumps(nested)[:-1]
    body = text + f', "calls": [{text}' * 1_023 + "}" + "]}" * 1_023
    with serving(saying('{"result": ' + body + "}")) as url:
        answer = Rpc([url]).ask("eth_x", [], lambda a: a)
    depth = 0
    while "calls" in answer:
        answer, depth = answer["calls"][0], depth + 1
    assert depth == 1_023


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with serving(status(200)) as url:
        pass
    with pytest.raises(UnreachableError):
        Rpc([url], timeout=2.0).ask("eth_x", [], number)
