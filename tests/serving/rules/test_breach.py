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


def test_in_the_wake_of_a_limit_the_rule_holds_though_nothing_is_broken() -> None:
    made = breach("a.b", 1, operator=">", limit=85.0, value=90.0)
    assert made.broken
    assert not replace(made, value=85.0).broken
    assert replace(made, operator=">=", value=85.0).broken
