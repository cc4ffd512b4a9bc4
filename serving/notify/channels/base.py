"""What all channels of the catalogue have in common: options, secrets, where links lead."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Self, get_args

import sqlalchemy as sa
from pydantic import AfterValidator, PrivateAttr

from pipeline.config import ConfigError, Strict, reveal
from serving.notify.channel import Delivery
from serving.notify.notice import Action, Notice

__all__ = ["Around", "Base", "Secret", "Url", "redact"]

SHORTEST = 6
"""Pieces of a secret that are shorter than this are everyday words."""


def _named(text: str) -> str:
    if "${" not in text and not text.startswith("file:"):
        raise ValueError("holds a secret; expected ${NAME} of the environment or file:PATH")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        raise ValueError("expected an address such as https://example.com, without a password")
    return text.rstrip("/")


Secret = Annotated[str, AfterValidator(_named)]
"""Names where a secret is kept; it is looked up each time it is used."""

Url = Annotated[str, AfterValidator(_address)]


@dataclass(frozen=True)
class Around:
    """What a channel is given beside its options.

    Parameters
    ----------
    name : str
        As routes name it.
    pages : str
        What links begin with.
    clock : callable
        Gives the time, aware UTC.
    engine : sqlalchemy.Engine
        The store.
    """

    name: str
    pages: str
    clock: Callable[[], datetime]
    engine: sa.Engine


class Base(Strict):
    """A channel: its fields are its options, as written in the configuration."""

    actions: ClassVar[frozenset[Action]] = frozenset(get_args(Action))
    _around: Around = PrivateAttr()

    def placed(self, around: Around) -> Self:
        """Give it what it needs to send."""
        self._around = around
        return self

    @property
    def name(self) -> str:
        """As routes name it."""
        return self._around.name

    def send(self, notice: Notice) -> Delivery:
        """Try once, within a few seconds."""
        try:
            return self.deliver(notice)
        except ConfigError as error:
            # A file of a secret may be on its way; the message names the place, not the secret.
            return Delivery("retry", str(error))

    @abstractmethod
    def deliver(self, notice: Notice) -> Delivery:
        """Try once. Raises ConfigError where a secret is not to be found."""

    def secrets(self) -> list[str]:
        """Every secret there is in the options.

        Raises
        ------
        ConfigError
            One is not to be found.
        """
        written = [text for text in dict(self).values() if isinstance(text, str)]
        return [told for text in written if (told := reveal(text)) != text]


def redact(text: str, secrets: Iterable[str]) -> str:
    """A text without the secrets or any telling piece of them.

    >>> redact("no team at /services/T00AABB/xyzzy1", ["https://example.com/services/T00AABB/xyzzy1"])
    'no team at /***/***/***'
    """
    pieces = {piece for s in secrets for piece in (s, *re.split(r"[^\w-]+", s))}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= SHORTEST:
            text = text.replace(piece, "***")
    return text
