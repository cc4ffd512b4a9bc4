"""How bad: one order for every word the rules, playbooks and hosts use."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Severity"]


class Severity(StrEnum):
    """From a note to a catastrophe; compares by what is worse, not by the alphabet.

    The seed speaks of Warning and Critical for hosts, of High and Medium for alerts, of Critical
    and High for playbooks (REQUIREMENTS.md 8.4): one order serves all.

    >>> Severity.HIGH > Severity.MEDIUM, max(Severity.LOW, Severity.CRITICAL).value
    (True, 'critical')
    >>> Severity.of("Warning").value
    'medium'
    """

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @classmethod
    def of(cls, word: str) -> Severity:
        """The severity that a word of the seed, of Sigma or of Alertmanager stands for.

        Raises
        ------
        ValueError
            No severity has that name.
        """
        name = _SYNONYMS.get(word.lower(), word.lower())
        if name not in cls._value2member_map_:
            raise ValueError(f"severity is {word!r}; expected one of {', '.join(cls)}")
        return cls(name)

    @property
    def rank(self) -> int:
        """0 for the mildest to 4 for the worst."""
        return _ORDER.index(self.value)

    def __lt__(self, other: str) -> bool:
        return self.rank < Severity(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Severity(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Severity(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Severity(other).rank


_ORDER = ("info", "low", "medium", "high", "critical")
_SYNONYMS = {
    "warning": "medium",
    "warn": "medium",
    "informational": "info",
    "page": "high",
    "error": "high",
    "fatal": "critical",
}
