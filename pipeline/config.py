"""`tocsin.yaml`: where things are kept, what is read, what is measured.

Secrets stand in the environment or in files, never in the configuration: a value says
``${NAME}`` anywhere in a text, or is ``file:PATH``. They are looked up when they are used, so that
what is printed of a configuration is what was written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from features.catalogue import VIEWS
from features.view import FeatureView

__all__ = ["Config", "ConfigError", "Strict", "read_config", "reveal", "told_of"]

_NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = re.compile(
    r"password|passwd|secret|passphrase|token|api[._-]?key|private[._-]?key", re.IGNORECASE
)

_CHOSEN = frozenset({"contracts", "fields", "by", "same"})
"""Maps whose keys are names that people choose: one called ``token`` holds no secret."""

_EXPECTED = {
    "tuple_type": "expected a list",
    "dict_type": "expected names and values",
    "model_type": "expected names and values",
    "path_type": "expected a path",
}
"""What pydantic says in words of Python."""


class ConfigError(ValueError):
    """A configuration that cannot be used; one line for each fault: what, which, expected."""


class Strict(BaseModel):
    """A part of the configuration: unknown names are refused, errors hold no values of secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Config(Strict):
    """The whole configuration.

    Parameters
    ----------
    home : Path
        Gets the lake, models, spools and states; relative to the file.
    store : str
        SQLAlchemy URL of the database; by default SQLite in ``home``.
    loop : str
        Name of the loop, where several share a database.
    views : tuple of str, optional
        Names of the views to follow; by default those of every stream that has a source.
    models : {"files", "registry", "cold"}
        Where models come from: trained files below ``home``, the registry's champions, or none.
    registry : str, optional
        URI of MLflow; by default SQLite in ``home``.
    batch : int
        Rows a source gives at most in a step: the size of a step.
    idle_seconds : float
        After how long without events the clock closes windows.
    sources : tuple of dict
        See `pipeline.sources.kinds`.
    serving : dict
        See `serving.settings`.
    """

    home: Path = Path("tocsin-home")
    store: str | None = None
    loop: str = Field("stream", pattern=r"^[a-z0-9_-]{1,50}$")
    views: tuple[str, ...] | None = None
    models: Literal["files", "registry", "cold"] = "files"
    registry: str | None = None
    batch: int = Field(100_000, ge=1, le=5_000_000)
    idle_seconds: float = Field(30.0, gt=0)
    sources: tuple[dict[str, Any], ...] = Field(min_length=1)
    serving: dict[str, Any] = Field(default_factory=dict)

    @field_validator("views")
    @classmethod
    def _known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if name not in VIEWS:
                raise ValueError(f"no view {name!r}; expected some of {', '.join(VIEWS)}")
        return names

    @model_validator(mode="after")
    def _no_literal_secrets(self) -> Config:
        found = [f"sources.{i}{path}" for i, s in enumerate(self.sources) for path in _literal(s)]
        found += [f"serving{path}" for path in _literal(self.serving)]
        for name in ("store", "registry"):
            url = getattr(self, name)
            if url and not _NAMED.search(url) and _has_password(url):
                found.append(name)
        if found:
            raise ValueError(
                f"{', '.join(found)} holds a secret; expected ${{NAME}} of the environment "
                "or file:PATH"
            )
        return self

    @property
    def store_url(self) -> str:
        """URL of the database, secrets included: not for printing."""
        return reveal(self.store) if self.store else f"sqlite:///{self.home}/store.db"

    def chosen(self, streams: set[str]) -> list[FeatureView]:
        """The views to follow, given which streams have a source.

        Raises
        ------
        ConfigError
            A view's stream has none.
        """
        if self.views is None:
            return [view for view in VIEWS.values() if view.stream.name in streams]
        for name in self.views:
            if VIEWS[name].stream.name not in streams:
                stream = VIEWS[name].stream.name
                raise ConfigError(f"views: {name} needs a source of stream {stream}; there is none")
        return [VIEWS[name] for name in self.views]


def read_config(path: Path) -> Config:
    """Read a configuration file.

    Raises
    ------
    ConfigError
        It is missing, no YAML, or something in it cannot be.
    """
    try:
        with path.open(encoding="utf-8") as file:
            given = yaml.safe_load(file)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a configuration") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        place = getattr(error, "problem_mark", None)
        where = f"line {place.line + 1}, column {place.column + 1}" if place else "the file"
        told = getattr(error, "problem", None) or error
        raise ConfigError(f"{path}: {where}: not readable: {told}") from None
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: expected names and values such as `home: ./data`")
    try:
        config = Config.model_validate(given)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in told_of(error))) from None
    home = (path.parent / config.home).absolute()
    return config.model_copy(update={"home": home})


def told_of(error: ValidationError, prefix: str = "") -> Iterator[str]:
    """Each fault in a line: where, what was found, what was expected."""
    for fault in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in fault["loc"])
        message = _EXPECTED.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        found = fault.get("input")
        plain = isinstance(found, str | int | float | bool) and not _SECRET.search(place)
        value = f" = {found!r}" if plain else ""
        where = ".".join(part for part in (prefix, place) if part)
        yield f"{where}{value}: {message}" if where else message


def reveal(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """A text with what it names put in: ``${NAME}`` from the environment, ``file:PATH`` whole.

    Raises
    ------
    ConfigError
        The variable or the file is not there.
    """
    if text.startswith("file:"):
        path = Path(text.removeprefix("file:"))
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"secret {text}: {error.strerror}") from None

    def named(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise ConfigError(f"secret ${{{found[1]}}}: not set in the environment")
        return environment[found[1]]

    return _NAMED.sub(named, text)


def _literal(given: object, path: str = "", *, chosen: bool = False) -> Iterator[str]:
    """Where secrets stand; ``chosen`` says that the keys are names that people chose."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            here = f"{path}.{key}"
            if not chosen and isinstance(value, str) and _SECRET.search(str(key)):
                if not (_NAMED.search(value) or value.startswith("file:")):
                    yield here
            else:
                yield from _literal(value, here, chosen=key in _CHOSEN)
    elif isinstance(given, list | tuple):
        for i, value in enumerate(given):
            yield from _literal(value, f"{path}.{i}")
    elif isinstance(given, str) and not _NAMED.search(given) and _has_password(given):
        yield path


def _has_password(url: str) -> bool:
    try:
        return urlsplit(url).password is not None
    except ValueError:
        return False
