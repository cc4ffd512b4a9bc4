"""Every kind has a name that can be kept under, and names a stream that there is."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.sources.kind import Built, Kind, OfStream


class Some(OfStream):
    kind: str = "some"

    def build(self, config: Any, clock: Any) -> Built:
        return Built()


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "a" * 65])
def test_a_name_that_no_file_should_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        Some(name=name, stream="trades")


def test_a_stream_is_one_that_there_is() -> None:
    assert Some(name="a", stream="trades").of.name == "trades"
    with pytest.raises(ValidationError, match="expected one of trades, orders"):
        Some(name="a", stream="trade")


def test_a_kind_that_builds_nothing_is_none() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Kind(name="a")  # type: ignore[abstract]
