"""The model that serves: the registry's champion, or the last known while it cannot be had."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from features.view import FeatureView
from models.persistence import ModelFileError
from models.registry import CHAMPION, Registry, RegistryError, Version
from pipeline.files import InputError
from pipeline.scoring.scorer import Scorer

__all__ = ["SETTLED", "Champion", "champion", "rollback", "settle"]

State = Literal["ok", "degraded: last known champion", "degraded: thresholds only"]
SETTLED = "settled"
"""Tag of a version whose decision has been carried out."""


@dataclass(frozen=True)
class Champion:
    """What may score a view now.

    Parameters
    ----------
    state : str
        ``"ok"``; ``"degraded: last known champion"``; or ``"degraded: thresholds only"``, when
        nothing can score and ``scorer`` is None.
    detail : str
        Why, for people.
    version : int or None
        Of the model that scores.
    """

    state: State
    detail: str
    version: int | None
    scorer: Scorer | None


def champion(view: FeatureView, registry: Registry, home: Path) -> Champion:
    """Load the champion of a view; never an error, whatever is missing, damaged or down.

    Its file is kept below ``home/models/<view>``, where ``champion.npz`` is a link to the last
    one that was loaded.
    """
    folder = home / "models" / view.name
    link = folder / "champion.npz"
    try:
        version = registry.aliased(view.name, CHAMPION)
        if version is None:
            raise RegistryError(f"no champion is registered for {view.name}")
        # With the run, because another registry has another version of the same number.
        file = folder / f"{version.number}-{version.run[:8]}.npz"
        scorer = _cached(view, registry, version, file)
    except (RegistryError, ModelFileError, OSError) as error:
        return _last_known(view, link, str(error))
    try:
        _point(link, file)
    except OSError as error:
        return Champion("ok", f"cannot be kept in {folder}: {error}", version.number, scorer)
    return Champion("ok", f"version {version.number}", version.number, scorer)


def _cached(view: FeatureView, registry: Registry, version: Version, file: Path) -> Scorer:
    try:
        return Scorer.load(view, file)
    except (FileNotFoundError, ModelFileError):
        registry.fetch(version, file)
        return Scorer.load(view, file)


def _last_known(view: FeatureView, link: Path, reason: str) -> Champion:
    try:
        scorer = Scorer.load(view, link)
        number = int(link.readlink().name.split("-")[0])
    except (ModelFileError, OSError, ValueError) as error:
        kept = "none is kept here" if isinstance(error, FileNotFoundError) else str(error)
        return Champion("degraded: thresholds only", f"{reason}; {kept}", None, None)
    return Champion("degraded: last known champion", f"version {number}; {reason}", number, scorer)


def _point(link: Path, file: Path) -> None:
    """Let the link name the file, and drop the files of older champions but the last."""
    before = link.readlink().name if link.is_symlink() else None
    if before == file.name:
        return
    new = link.with_name(f".{file.name}.link")
    new.unlink(missing_ok=True)
    new.symlink_to(file.name)
    new.replace(link)
    for old in link.parent.glob("*.npz"):
        if old.name not in (link.name, file.name, before):
            old.unlink(missing_ok=True)


def settle(registry: Registry, version: Version, *, who: str, now: datetime) -> None:
    """Give a new version the alias that its tag ``decision`` says; repeating it changes nothing."""
    if version.tags["decision"] == "promote":
        registry.appoint(version, kind="promote", who=who, when=now, why=version.tags["why"])
    else:
        registry.name_challenger(version)
    registry.tag(version, SETTLED, "yes")


def rollback(
    view: FeatureView,
    registry: Registry,
    home: Path,
    *,
    who: str,
    now: datetime,
    why: str,
    to: int | None = None,
) -> Champion:
    """Make an earlier version the champion again; by default the one that the last replaced.

    Raises
    ------
    InputError
        There is no such version, or it cannot be loaded: then nothing is changed.
    RegistryError
        MLflow cannot be reached.
    """
    versions = {version.number: version for version in registry.versions(view.name)}
    holder = registry.aliases(view.name).get(CHAMPION)
    if to is None:
        replaced = [
            change.before
            for change in registry.changes(view.name)
            if change.kind == "promote" and change.after == holder
        ]
        to = replaced[-1] if replaced else None
    if to is None or to not in versions or to == holder:
        known = ", ".join(str(number) for number in versions if number != holder) or "none"
        wanted = "no champion before this one" if to is None else f"version {to} cannot take over"
        raise InputError(f"{view.name}: {wanted}; other versions: {known}")
    file = home / "models" / view.name / f"{to}-{versions[to].run[:8]}.npz"
    try:
        _cached(view, registry, versions[to], file)
    except ModelFileError as error:
        raise InputError(f"{view.name}: version {to} cannot be loaded: {error}") from error
    # What a killed run had decided is overruled by who rolls back.
    for version in versions.values():
        if SETTLED not in version.tags:
            registry.tag(version, SETTLED, "overruled")
    registry.appoint(versions[to], kind="rollback", who=who, when=now, why=why)
    return champion(view, registry, home)
