"""Reads rule packs; a mistake is one line that names file, rule, field and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from features.catalogue import VIEWS
from serving.rules.rule import Correlation, Ladder, Pack

__all__ = ["PACKS", "RuleError", "load_pack", "load_packs"]

PACKS = Path(__file__).parent / "packs"
"""The packs that come with the house."""


class RuleError(ValueError):
    """A rule pack that cannot be used."""


def load_packs(places: Iterable[Path] = (PACKS,)) -> list[Pack]:
    """Every pack below the given files and folders, in order of their names.

    Raises
    ------
    RuleError
        A pack is not valid, names an unknown view or feature, or an id is given twice.
    """
    files: list[Path] = []
    for place in places:
        files += sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    packs = [load_pack(file) for file in files]
    seen: dict[str, str] = {}
    for pack in packs:
        for name in _ids(pack):
            if name in seen:
                raise RuleError(f"rule {name} is in pack {seen[name]} and in pack {pack.pack}")
            seen[name] = pack.pack
    for pack in packs:
        for correlation in pack.correlations:
            if unknown := [name for name in correlation.rules if name not in seen]:
                raise RuleError(f"{correlation.id}: no rule {unknown[0]!r} in any pack")
    return packs


def load_pack(file: Path) -> Pack:
    """One pack.

    Raises
    ------
    RuleError
        The file cannot be read, or what it says is not a pack.
    """
    try:
        given: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        pack = Pack.model_validate(given)
    except OSError as error:
        raise RuleError(f"{file}: {error.strerror}; expected a rule pack") from error
    except yaml.YAMLError as error:
        raise RuleError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = _where(given, first["loc"])
        raise RuleError(f"{file.name}: {where}: {first['msg']}") from error
    for ladder in pack.ladders:
        _check_features(file, ladder)
    for correlation in pack.correlations:
        _check_view(file, correlation)
    return pack


def _ids(pack: Pack) -> Iterator[str]:
    for ladder in pack.ladders:
        yield from (rung.id for rung in ladder.rungs)
    yield from (correlation.id for correlation in pack.correlations)


def _check_features(file: Path, ladder: Ladder) -> None:
    if ladder.view not in VIEWS:
        raise RuleError(f"{file.name}: {ladder.family}: no view {ladder.view!r}")
    known = VIEWS[ladder.view].names
    for name in (ladder.feature, *(condition.feature for condition in ladder.also)):
        if name not in known:
            raise RuleError(
                f"{file.name}: {ladder.family}: {ladder.view} has no feature {name!r}; "
                f"expected one of {', '.join(known)}"
            )


def _check_view(file: Path, correlation: Correlation) -> None:
    if correlation.view and correlation.view not in VIEWS:
        raise RuleError(f"{file.name}: {correlation.id}: no view {correlation.view!r}")


def _where(given: Any, path: tuple[int | str, ...]) -> str:
    """The path of a mistake, list positions told by the id of what is there."""
    words: list[str] = []
    for part in path:
        try:
            given = given[part]
        except (KeyError, IndexError, TypeError):
            given = None
        name = given.get("id") or given.get("family") if isinstance(given, dict) else None
        words.append(str(name or part))
    return ".".join(words) or "the file"
