"""Questions to nodes: JSON-RPC over several endpoints, with fail-over and rate limits honoured.

Nothing here waits. An endpoint that fails rests for a while and the next is asked; where all
rest, `UnreachableError` says so and the loop comes back later.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from math import isfinite
from typing import Any, Protocol, TypeAlias, TypeVar

from web3 import HTTPProvider
from web3.exceptions import Web3Exception

from pipeline.sources.source import SourceError

__all__ = [
    "Endpoint",
    "MalformedError",
    "Question",
    "RefusedError",
    "Rpc",
    "UnreachableError",
    "UnsupportedError",
]

T = TypeVar("T")
Question: TypeAlias = tuple[str, list[Any], Callable[[Any], T]]
"""Method, parameters, and what makes of the answer what is wanted, or raises `MalformedError`."""

LONGEST_REST = 60.0
LONGEST_LIMIT = 3600.0
"""Seconds that an endpoint rests at most after a failure, and at most where it asks to be left."""
LIMITED = {429, -32005, -32097}
"""Codes of an answer that means "too many requests"."""
NO_METHOD = -32601
NOT_THERE = re.compile(r"method.*(not (found|supported|available|allowed)|does not exist)", re.I)
TOO_LARGE, TOO_MANY = 413, 429
DEEPEST = 5_000
"""Calls nest 1,024 deep; Python 3.11 reads JSON only as deep as its recursion limit."""


class UnreachableError(SourceError):
    """No endpoint answers now."""


class UnsupportedError(SourceError):
    """No endpoint that answers knows the method."""


class RefusedError(SourceError):
    """Every endpoint that answers gives an error."""


class MalformedError(ValueError):
    """An answer that is not what the method gives; the message names field, value, expected."""


class Endpoint(Protocol):
    """What answers: a provider of web3, or a node in this process."""

    def make_request(self, method: Any, params: Any) -> Any:
        """Answer one request."""

    def make_batch_request(self, requests: Any) -> Any:
        """Answer several."""


class _Http(HTTPProvider):
    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> Any:
        # An attacker who nests his calls deep enough must not blind who watches him.
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(max(before, DEEPEST))
        try:
            return json.loads(raw_response)
        except RecursionError:
            # Python 3.12 counts its C apart, to 1,500; the same in Python is slow, and goes on.
            decoder = json.JSONDecoder()
            decoder.scan_once = py_make_scanner(decoder)  # type: ignore[attr-defined]
            return decoder.decode(raw_response.decode())
        finally:
            sys.setrecursionlimit(before)


@dataclass
class _Asked:
    """An endpoint and how it has been doing."""

    name: str
    endpoint: Endpoint
    rests_until: float = 0.0
    failures: int = 0
    lacks: set[str] = field(default_factory=set)

    def rest(self, now: float, seconds: float | None = None) -> None:
        self.failures += 1
        rest = min(0.5 * 2.0**self.failures, LONGEST_REST) if seconds is None else seconds
        self.rests_until = now + rest


class Rpc:
    """Ask several endpoints in order of preference until one gives a good answer.

    Parameters
    ----------
    endpoints : sequence of str or Endpoint
        Addresses (``http://...``), or anything that answers like a provider of web3; the first
        is asked first.
    timeout : float
        Seconds that an answer over HTTP may take.
    clock : callable
        Seconds that only rise.

    Attributes
    ----------
    counts : Counter
        What happened: ``asked``, ``unreachable``, ``limited``, ``malformed``, ``refused``,
        ``unsupported``, ``resting``, ``failed_over`` (answered, but not by the first endpoint).
    """

    def __init__(
        self,
        endpoints: Sequence[str | Endpoint],
        *,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not endpoints:
            raise ValueError("endpoints is empty; expected one or more")
        self._asked = [
            _Asked(f"endpoint {i}", _http(given, timeout) if isinstance(given, str) else given)
            for i, given in enumerate(endpoints)
        ]
        self._clock = clock
        self.counts: Counter[str] = Counter()

    def ask(self, method: str, params: list[Any], parse: Callable[[Any], T]) -> T:
        """One answer, parsed.

        Raises
        ------
        SourceError
            No endpoint gives a good answer: `UnreachableError`, `UnsupportedError`,
            `RefusedError`.
        """
        return self.ask_all([(method, params, parse)])[0]

    def ask_all(self, questions: Sequence[Question[T]]) -> list[T]:
        """The answers to several questions, all from one endpoint, in order.

        An answer that is `MalformedError` is a failure of its endpoint.
        """
        if not questions:
            return []
        faults: list[_FaultError] = []
        for preference, asked in enumerate(self._asked):
            try:
                answers = self._ask(asked, questions)
            except _FaultError as fault:
                self.counts[fault.word] += 1
                faults.append(fault)
            else:
                asked.failures = 0
                self.counts["failed_over"] += preference > 0
                return answers
        means = {fault.means for fault in faults}
        # What one endpoint refuses and others cannot say now may be asked again in smaller parts.
        worst = next(m for m in (RefusedError, UnreachableError, UnsupportedError) if m in means)
        told = "; ".join(f"{a.name}: {f}" for a, f in zip(self._asked, faults, strict=True))
        raise worst(f"{questions[0][0]}: {told}")

    def close(self) -> None:
        """Forget what endpoints did; connections close with the process or when idle."""
        for asked in self._asked:
            asked.rests_until, asked.failures = 0.0, 0

    def _ask(self, asked: _Asked, questions: Sequence[Question[T]]) -> list[T]:
        now = self._clock()
        if now < asked.rests_until:
            raise _FaultError(
                "resting", f"rests for {asked.rests_until - now:.1f} s", UnreachableError
            )
        methods = {method for method, *_ in questions}
        if lacking := methods & asked.lacks:
            raise _FaultError(
                "unsupported", f"has no {', '.join(sorted(lacking))}", UnsupportedError
            )
        self.counts["asked"] += len(questions)
        try:
            answers = self._send(asked, [(method, params) for method, params, _ in questions])
            return [
                parse(self._result(asked, answer))
                for (*_, parse), answer in zip(questions, answers, strict=True)
            ]
        except _FaultError as fault:
            if fault.word == "unsupported":
                asked.lacks |= methods
            raise
        except (ValueError, TypeError, RecursionError, Web3Exception) as fault:
            # Not JSON, JSON of another shape, or what `parse` refuses.
            asked.rest(self._clock())
            raise _FaultError("malformed", f"malformed: {fault}", UnreachableError) from fault

    def _send(self, asked: _Asked, requests: list[tuple[str, list[Any]]]) -> list[Any]:
        try:
            if len(requests) == 1:
                return [asked.endpoint.make_request(*requests[0])]
            answers = asked.endpoint.make_batch_request(requests)
        except OSError as fault:  # of which all of requests' exceptions are
            raise self._unanswered(asked, fault) from fault
        if isinstance(answers, dict):  # one error for the whole batch
            self._result(asked, answers)
        if not isinstance(answers, list):
            raise MalformedError(f"a batch of {len(requests)}; expected a list")
        return answers

    def _unanswered(self, asked: _Asked, fault: OSError) -> _FaultError:
        response = getattr(fault, "response", None)
        status = getattr(response, "status_code", None)
        if response is None or status not in (TOO_LARGE, TOO_MANY):
            asked.rest(self._clock())
            return _FaultError(
                "unreachable", f"{type(fault).__name__} {status or ''}", UnreachableError
            )
        if status == TOO_LARGE:
            return _FaultError("refused", "the request is too large", RefusedError)
        asked.rest(self._clock(), _retry_after(response.headers.get("Retry-After")))
        return _FaultError("limited", "too many requests", UnreachableError)

    def _result(self, asked: _Asked, answer: Any) -> Any:
        if not isinstance(answer, dict) or not {"result", "error"} & answer.keys():
            raise MalformedError(f"{str(answer)[:80]!r}; expected an object with result or error")
        error = answer.get("error")
        if error is None:
            return answer.get("result")
        if not isinstance(error, dict):
            raise MalformedError(f"error = {str(error)[:80]!r}; expected an object with a code")
        code, message = error.get("code"), str(error.get("message"))[:200]
        word: str
        means: type[SourceError]
        if code in LIMITED:
            asked.rest(self._clock())
            word, means = "limited", UnreachableError
        elif code == NO_METHOD or NOT_THERE.search(message):
            word, means = "unsupported", UnsupportedError
        else:
            word, means = "refused", RefusedError
        raise _FaultError(word, f"error {code}: {message}", means)


class _FaultError(Exception):
    """Why one endpoint gave no answer: the word it is counted by, and what it means for all."""

    def __init__(self, word: str, message: str, means: type[SourceError]) -> None:
        super().__init__(message)
        self.word, self.means = word, means


def _http(url: str, timeout: float) -> Endpoint:
    return _Http(url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None)


def _retry_after(given: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date (RFC 9110, 10.2.3)."""
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(given).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), LONGEST_LIMIT) if isfinite(seconds) else None
