"""Reads rule packs; a mistake is one line that names file, rule, field and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from features.catalogue import VIEWS
from pipeline.files import InputError
from serving.rules.rule import GROUPS, Correlation, Ladder, Objective, Pack

__all__ = ["PACKS", "RuleError", "load_pack", "load_packs"]

PACKS = Path(__file__).parent / "packs"
"""The packs that come with the house."""


class RuleError(InputError):
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
    read = [(file, load_pack(file)) for file in files]
    seen: dict[str, str] = {}
    for file, pack in read:
        for name in _ids(pack):
            if name in seen:
                raise RuleError(f"{file.name}: {name}: id is in {seen[name]} too; expected one")
            seen[name] = file.name
    labels = {
        rung.id: set(VIEWS[metric.view].entity)
        for _, pack in read
        for metric in pack.metrics
        for rung in metric.rungs
    }
    for file, pack in read:
        for correlation in pack.correlations:
            _check_correlation(file, correlation, labels)
            labels[correlation.id] = set() if correlation.by in GROUPS else {correlation.by}
    return [pack for _, pack in read]


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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RuleError(f"{file.name}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = _where(given, first["loc"])
        raise RuleError(f"{file.name}: {where}: {first['msg']}") from error
    for metric in pack.metrics:
        _check_metric(file, metric)
    for learned in pack.learned:
        _check_feature(file, learned.requirement, learned.view, [learned.feature])
    return pack


def _ids(pack: Pack) -> Iterator[str]:
    for metric in pack.metrics:
        yield from (rung.id for rung in metric.rungs)
    yield from (correlation.id for correlation in pack.correlations)


def _check_metric(file: Path, metric: Ladder | Objective) -> None:
    names = [metric.feature]
    if isinstance(metric, Ladder):
        names += [condition.feature for condition in metric.also]
    else:
        names.append(metric.weight)
    _check_feature(file, metric.family, metric.view, names)
    for rung in metric.rungs:
        words = {"entity": "", "value": 0.0, "limit": 0.0, "unit": ""}
        _check_words(file, rung.id, "summary", rung.summary or metric.summary, words)
        _check_group(file, rung.id, metric.labels | rung.labels, VIEWS[metric.view].entity)
        for case in (*rung.hit, *rung.miss):
            for window in case:
                _check_feature(file, rung.id, metric.view, [n for n in window if n != "times"])


def _check_feature(file: Path, where: str, view: str, names: Iterable[str]) -> None:
    if view not in VIEWS:
        raise RuleError(
            f"{file.name}: {where}: no view {view!r}; expected one of {', '.join(VIEWS)}"
        )
    known = VIEWS[view].names
    for name in names:
        if name not in known:
            raise RuleError(
                f"{file.name}: {where}: {view} has no feature {name!r}; "
                f"expected one of {', '.join(known)}"
            )


def _check_group(file: Path, where: str, labels: dict[str, str], more: Iterable[str]) -> None:
    """That alerts can be grouped: by names that every verdict of the rule has."""
    names = {"view", "stream", "entity", "family", *labels, *more}
    _check_words(file, where, "group", labels.get("group", ""), dict.fromkeys(sorted(names), ""))


def _check_words(file: Path, where: str, field: str, text: str, words: dict[str, Any]) -> None:
    try:
        text.format_map(words)
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise RuleError(
            f"{file.name}: {where}: {field} is {text!r}: {error}; "
            f"expected only {', '.join(f'{{{name}}}' for name in words)}"
        ) from error


def _check_correlation(file: Path, correlation: Correlation, labels: dict[str, set[str]]) -> None:
    where = f"{file.name}: {correlation.id}"
    words = {"entity": "", "value": 0.0, "within": ""}
    _check_words(file, correlation.id, "summary", correlation.summary, words)
    for name in correlation.rules:
        if name not in labels:
            raise RuleError(
                f"{where}: rules: no {name!r}; expected a rule of any pack, or a correlation "
                "before this one"
            )
        if correlation.by not in GROUPS and correlation.by not in labels[name]:
            raise RuleError(
                f"{where}: by is {correlation.by!r}, which {name} has not; expected "
                f"{', '.join((*GROUPS, *sorted(labels[name])))}"
            )
    shared = set() if correlation.by in GROUPS else {correlation.by}
    if correlation.by == "entity":
        shared = set.intersection(*(labels[name] for name in correlation.rules))
    _check_group(file, correlation.id, correlation.labels, shared)
    for happening in (h for case in (*correlation.hit, *correlation.miss) for h in case):
        if happening.rule not in labels:
            raise RuleError(f"{where}: a case names {happening.rule!r}; expected a rule there is")


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
