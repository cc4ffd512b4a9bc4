"""Where evidence is kept: a folder a step, each file sealed by its SHA-256 in a manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from serving.playbooks.action import Context, ParameterError

__all__ = ["MANIFEST", "folder_of", "keep", "sealed"]

MANIFEST = "manifest.json"


def folder_of(context: Context) -> Path:
    """The folder of a step, below service ``evidence``."""
    root = context.services.get("evidence")
    if root is None:
        raise ParameterError("service evidence is missing; expected a folder")
    return Path(root) / context.incident / context.step


def keep(folder: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Write files and then their manifest, whole or not at all; a sealed folder stays as it is.

    Returns
    -------
    dict
        Facts: ``folder``, ``files`` (their names), ``sha256`` of the manifest.
    """
    if not sealed(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _write(folder / name, content)
        listed = {name: _sha256(content) for name, content in files.items()}
        _write(folder / MANIFEST, orjson.dumps(listed, option=orjson.OPT_SORT_KEYS))
    manifest = (folder / MANIFEST).read_bytes()
    names = sorted(orjson.loads(manifest))
    return {"folder": folder.as_posix(), "files": names, "sha256": _sha256(manifest)}


def sealed(folder: Path) -> bool:
    """Whether the manifest is there and every file is as it says."""
    try:
        listed = orjson.loads((folder / MANIFEST).read_bytes())
        return all(_sha256((folder / name).read_bytes()) == sum_ for name, sum_ in listed.items())
    except (OSError, ValueError):
        return False


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(file: Path, content: bytes) -> None:
    # Another process may write the same: each its own temporary file, the last one named so.
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with temporary.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    temporary.replace(file)
