"""Matchers: equal and by pattern, absent labels are empty, mistakes are named."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.alerts.matchers import Matcher, matches

WORD = st.text("ab.*", max_size=4)


@given(WORD, WORD)
def test_unequal_is_the_opposite_of_equal(value: str, found: str) -> None:
    labels = {"a": found}
    assert Matcher(label="a", value=value).match(labels) == (value == found)
    assert Matcher(label="a", operator="!=", value=value).match(labels) == (value != found)


@given(st.sampled_from(["a.*", "(a|b)+", "[ab]", "", "a?b"]), WORD)
def test_a_pattern_is_held_against_the_whole_value(pattern: str, found: str) -> None:
    expected = re.fullmatch(pattern, found) is not None
    assert Matcher(label="a", operator="=~", value=pattern).match({"a": found}) == expected
    assert Matcher(label="a", operator="!~", value=pattern).match({"a": found}) != expected


def test_a_label_that_is_absent_is_the_empty_text() -> None:
    assert Matcher(label="a", value="").match({})
    assert not Matcher(label="a", operator="=~", value=".+").match({})
    assert Matcher(label="a", operator="!=", value="x").match({})


def test_all_matchers_must_agree_and_none_agree_with_everything() -> None:
    a, b = Matcher(label="a", value="1"), Matcher(label="b", value="2")
    assert matches([a, b], {"a": "1", "b": "2"})
    assert not matches([a, b], {"a": "1", "b": "3"})
    assert matches([], {})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"operator": "=~", "value": "("}, "no regular expression"),
        ({"value": "x" * 501}, "501 characters; expected at most 500"),
        ({"operator": "~", "value": "a"}, "operator"),
        ({"value": "a", "more": 1}, "more"),
    ],
)
def test_what_is_no_matcher_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Matcher.model_validate({"label": "a", **given})
