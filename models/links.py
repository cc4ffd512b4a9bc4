"""Links between entities: who hands a share of its risk on to whom, and along which path."""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["Links", "Path"]

MOST_LINKS = 32
MOST_TARGETS = 100_000

Path: TypeAlias = tuple[tuple[str, ...], float]
"""Entities from the origin to the target, and the share of the origin that arrives."""


class Links:
    """Shares from 0 to 1 from entity to entity, such as from an account to its API keys.

    The 32 strongest links to an entity are kept, for at most 100,000 entities: beyond, those
    linked first are forgotten first.

    Source: ours.

    >>> links = Links()
    >>> links.set("account 7", "address 1", 0.5)
    >>> links.set("address 1", "api key 3", 0.8)
    >>> links.paths("api key 3", 2)["account 7"]
    (('account 7', 'address 1', 'api key 3'), 0.4)
    """

    def __init__(self) -> None:
        self._into: dict[str, dict[str, float]] = {}

    def set(self, origin: str, target: str, share: float) -> str | None:
        """Link two entities; a share of 0 undoes the link.

        Returns
        -------
        str or None
            The target whose links were forgotten for it.

        Raises
        ------
        ValueError
            The share is not from 0 to 1, or both are the same entity.
        """
        if not 0.0 <= share <= 1.0 or origin == target:
            raise ValueError(
                f"link from {origin!r} to {target!r} with share {share}, "
                "expected two entities and a share from 0 to 1"
            )
        into = self._into.setdefault(target, {})
        into[origin] = share
        strongest = sorted(into.items(), key=lambda item: (-item[1], item[0]))[:MOST_LINKS]
        self._into[target] = {name: part for name, part in strongest if part > 0}
        if len(self._into) <= MOST_TARGETS:
            return None
        oldest = next(iter(self._into))
        del self._into[oldest]
        return oldest

    def paths(self, entity: str, depth: int) -> dict[str, Path]:
        """For each origin the path to an entity, of at most ``depth`` links, that brings most.

        No path visits an entity twice. Of equal ones it is the shorter, then the first by name.
        """
        best: dict[str, Path] = {}
        reached: dict[str, Path] = {entity: ((entity,), 1.0)}
        for _ in range(depth):
            further: dict[str, Path] = {}
            for path, share in reached.values():
                for origin, part in self._into.get(path[0], {}).items():
                    # A path in a circle never brings more than the same without the circle.
                    if origin in path:
                        continue
                    new = (origin, *path), share * part
                    for known in (further, best):
                        if origin not in known or _order(new) < _order(known[origin]):
                            known[origin] = new
            reached = further
        return best

    def targets(self) -> list[str]:
        """Every entity that something is handed on to."""
        return [target for target, into in self._into.items() if into]

    def into(self, target: str) -> dict[str, float]:
        """What share of its risk each origin hands on to an entity."""
        return dict(self._into.get(target, {}))


def _order(path: Path) -> tuple[float, int, tuple[str, ...]]:
    return -path[1], len(path[0]), path[0]
