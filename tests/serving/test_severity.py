"""One order for every word of severity."""

from __future__ import annotations

from itertools import pairwise

import pytest

from serving.severity import Severity


def test_the_order_is_from_a_note_to_a_catastrophe() -> None:
    words = ["info", "low", "medium", "high", "critical"]
    assert sorted(map(Severity, reversed(words))) == words
    for mild, bad in pairwise(map(Severity, words)):
        assert mild < bad
        assert bad > mild
        assert mild <= bad
        assert bad >= bad
        assert mild.rank + 1 == bad.rank


@pytest.mark.parametrize(
    ("word", "means"),
    [("Warning", "medium"), ("CRITICAL", "critical"), ("High", "high"), ("informational", "info")],
)
def test_the_words_of_the_seed_and_of_sigma_have_a_place(word: str, means: str) -> None:
    assert Severity.of(word) == Severity(means)


def test_a_word_without_a_place_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="severity is 'urgent'; expected one of info, low"):
        Severity.of("urgent")
