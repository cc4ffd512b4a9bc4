"""A breach is what it says, and cannot be changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from tests.serving.rules.ruling import breach


def test_a_breach_cannot_be_changed_only_replaced() -> None:
    made = breach("a.b", 1)
    with pytest.raises(FrozenInstanceError):
        made.value = 2.0  # type: ignore[misc]
    assert replace(made, value=2.0) != made


def test_two_of_the_same_are_equal_and_share_nothing_that_can_change() -> None:
    one, two = breach("a.b", 1, labels={}), breach("a.b", 1, labels={})
    assert one == two
    one.evidence["x"] = 1
    assert two.evidence == {}
