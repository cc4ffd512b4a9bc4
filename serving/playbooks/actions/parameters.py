"""Parameters of actions, judged at the border: what, which, value, expected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from serving.playbooks.action import Context, ParameterError

__all__ = ["address", "choice", "listed", "text", "whole"]

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
LONGEST = 10_000


def text(parameters: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A text that is not empty.

    >>> text({"symbol": "BTC-USD"}, "symbol")
    'BTC-USD'
    """
    value = parameters.get(name, default)
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
        raise _fault(name, value, "a text that is not empty")
    return value.strip()


def whole(
    parameters: Mapping[str, Any],
    name: str,
    default: int | None = None,
    *,
    least: int = 0,
    most: int = 2**256 - 1,
) -> int:
    """A whole number within bounds; digits in a text count as one."""
    value = parameters.get(name, default)
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _fault(name, value, f"a whole number from {least} to {most}")
    return value


def choice(
    parameters: Mapping[str, Any], name: str, among: Sequence[str], default: str | None = None
) -> str:
    """One of a few words."""
    value = parameters.get(name, default)
    if value not in among:
        raise _fault(name, value, f"one of {', '.join(among)}")
    return str(value)


def listed(parameters: Mapping[str, Any], name: str, default: Sequence[str] = ()) -> list[str]:
    """A list of texts, or texts with commas between them; each once, in order.

    >>> listed({"account": "ann, bob,"}, "account"), listed({"account": ["a,b", "a"]}, "account")
    (['ann', 'bob'], ['a', 'b'])
    """
    value = parameters.get(name) or list(default)
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(v, str) for v in given):
        raise _fault(name, value, "a list of texts")
    parts = [part.strip() for text in given for part in text.split(",")]
    if not any(parts):
        raise _fault(name, value, "a list of texts")
    return list(dict.fromkeys(part for part in parts if part))


def address(context: Context, parameters: Mapping[str, Any], name: str) -> str:
    """An account on the chain in lower case, given as such or by its name in the address book."""
    value = parameters.get(name)
    chain = context.services.get("chain")
    if chain is not None and isinstance(value, str):
        value = chain.contracts.get(value, value)
    if not isinstance(value, str) or not ADDRESS.fullmatch(value):
        raise _fault(name, value, "0x and 40 hexadecimal digits, or a name in the address book")
    return value.lower()


def _fault(name: str, value: object, expected: str) -> ParameterError:
    found = "missing" if value is None else f"{str(value)[:80]!r}"
    return ParameterError(f"{name} is {found}; expected {expected}")
