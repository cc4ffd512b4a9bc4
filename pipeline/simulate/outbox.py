"""What was made up and is not yet given out: events wait for the time at which they arrive."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Outbox"]


class Outbox:
    """Columns of events, given out in order of arrival, whatever the slices.

    Parameters
    ----------
    columns : dict of str to dtype
        Names and numpy types of the columns; ``arrives`` is added.
    """

    def __init__(self, **columns: type | str) -> None:
        self._types = {"arrives": np.int64, **columns}
        self._parts: list[dict[str, NDArray[Any]]] = []

    def put(self, arrives: ArrayLike, **columns: ArrayLike) -> None:
        """Add events; a single value holds for all of them. Times are in microseconds."""
        at = np.atleast_1d(np.asarray(arrives, np.int64))
        part: dict[str, NDArray[Any]] = {"arrives": at}
        for name, kind in self._types.items():
            if name != "arrives":
                value = columns[name]
                part[name] = (
                    value.astype(kind)
                    if isinstance(value, np.ndarray) and value.ndim
                    else np.full(at.size, value, kind)
                )
        self._parts.append(part)

    def take(self, until: int) -> dict[str, NDArray[Any]]:
        """The events that arrive before a time; of equal times, those that were put first."""
        whole = {
            name: np.concatenate([np.empty(0, kind), *(p[name] for p in self._parts)])
            for name, kind in self._types.items()
        }
        order = np.argsort(whole["arrives"], kind="stable")
        whole = {name: column[order] for name, column in whole.items()}
        due = int(np.searchsorted(whole["arrives"], until))
        self._parts = [{name: column[due:] for name, column in whole.items()}]
        return {name: column[:due] for name, column in whole.items()}
