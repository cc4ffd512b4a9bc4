"""A detector as one file: arrays and a JSON header, nothing that could run."""

from __future__ import annotations

import io
import json
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.catalogue import DETECTORS
from models.detector import Detector, State

__all__ = ["ModelFileError", "load", "read_state", "save", "write_state"]

# All that zipfile, numpy and json raise on bytes they cannot read.
UNREADABLE = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class ModelFileError(ValueError):
    """A file does not hold a detector that this version can load."""


def write_state(path: str | Path, name: str, version: int, state: State) -> None:
    """Write a state to one ``.npz`` file, whole or not at all.

    The file holds the arrays of the state and, as ``header``, a JSON text with the name, the
    version and the other values. The same state gives the same bytes.

    Source: ours, DESIGN.md law 10 (nothing that is loaded from disk may run code).
    """
    path = Path(path)
    arrays = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
    header = {
        "name": name,
        "version": version,
        "state": {key: value for key, value in state.items() if key not in arrays},
    }
    text = json.dumps(header, allow_nan=False, sort_keys=True).encode()
    # Renamed when complete, so that a crash leaves the old file or the new one.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, header=np.frombuffer(text, np.uint8), **arrays)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_state(path: str | Path) -> tuple[str, int, State]:
    """Read the name, version and state that `write_state` wrote.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ModelFileError
        The file is damaged or of another kind.
    """
    try:
        contents = _contents(Path(path))
        header = json.loads(contents.pop("header").tobytes())
        return str(header["name"]), int(header["version"]), {**header["state"], **contents}
    except FileNotFoundError:
        raise
    except (*UNREADABLE, TypeError) as error:
        raise ModelFileError(f"{path} is not a model file, or is damaged: {error}") from error


def save(detector: Detector, path: str | Path) -> None:
    """Write a detector to one file, as `write_state` does.

    Raises
    ------
    NotWarmError
        The detector was never fitted.
    """
    write_state(path, detector.name, detector.version, detector.state())


def load(path: str | Path, detectors: Mapping[str, type[Detector]] = DETECTORS) -> Detector:
    """Read a detector that `save` wrote.

    Parameters
    ----------
    path : str or Path
    detectors : mapping of name to class, optional
        The detectors that may be loaded; the catalogue by default.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ModelFileError
        The file is damaged, or of an unknown detector or version.
    """
    name, version, state = read_state(path)
    detector = detectors.get(name)
    if detector is None:
        known = ", ".join(sorted(detectors))
        raise ModelFileError(f"{path} holds detector {name!r}, expected one of: {known}")
    if version != detector.version:
        raise ModelFileError(
            f"{path} holds version {version!r} of {name}, expected {detector.version}"
        )
    try:
        return detector.from_state(state)
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"{path} holds no valid {name}: {error}") from error


def _contents(path: Path) -> dict[str, NDArray[Any]]:
    # ZipFile.read compares checksums before numpy believes a shape and allocates it.
    with zipfile.ZipFile(path) as archive:
        return {
            name.removesuffix(".npy"): np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
            for name in archive.namelist()
        }
