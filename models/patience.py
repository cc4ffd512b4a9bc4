"""When what is flagged without end is the new normal."""

from __future__ import annotations

import numpy as np
from numba import boolean, int64
from numpy.typing import NDArray

from features.jit import kernel, read
from models.detector import State, StateError

__all__ = ["Patience"]

# Longer than the longest burst that has to stay flagged, 600 windows.
LIMIT = 720
# Windows of a run that one unflagged window takes back.
RELIEF = 10


class Patience:
    """Counts how long each entity has been flagged; after 720 windows without end it gives in.

    A burst ends; a lasting change does not. The count of an entity goes up with each flagged
    window and down by 10 with each other, so that normal life never adds up, and a level at which
    nine windows in ten are flagged does. Whoever is held for an open incident is not learned
    however long it lasts: that is the guard's.

    Source: ours, issue 3 (a permanent benign shift is learned at last).

    >>> patience = Patience()
    >>> flagged = np.ones(800, bool)
    >>> int(patience.lost(np.zeros(800, np.int64), flagged).sum())
    80
    """

    def __init__(self) -> None:
        self._run = np.zeros(0, np.int64)

    def lost(self, entity: NDArray[np.int64], flagged: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the next windows are flagged and yet normal by now, shape (n,).

        Parameters
        ----------
        entity : ndarray of shape (n,), int64
            Numbers from 0, in order of arrival.
        flagged : ndarray of shape (n,), bool
        """
        missing = int(entity.max(initial=-1)) + 1 - len(self._run)
        self._run = np.concatenate([self._run, np.zeros(max(missing, 0), np.int64)])
        return _lost(entity, flagged, LIMIT, RELIEF, self._run)

    def state(self) -> State:
        """The count of each entity."""
        return {"run": self._run.copy()}

    def restore(self, state: State) -> None:
        """Take an earlier state.

        Raises
        ------
        StateError
            A part is missing or has the wrong type, shape or range.
        """
        run = state.get("run")
        if not (isinstance(run, np.ndarray) and run.ndim == 1 and run.dtype == np.int64):
            raise StateError("state 'run' is no array of whole numbers")
        if not ((run >= 0) & (run <= LIMIT + 1)).all():
            raise StateError(f"state 'run' is not within 0 to {LIMIT + 1}")
        self._run = run.copy()


@kernel(boolean[::1](read(int64), read(boolean), int64, int64, int64[::1]))
def _lost(
    entity: NDArray[np.int64],
    flagged: NDArray[np.bool_],
    limit: int,
    relief: int,
    run: NDArray[np.int64],
) -> NDArray[np.bool_]:
    lost = np.zeros(len(entity), np.bool_)
    for i in range(len(entity)):
        e = entity[i]
        run[e] = min(run[e] + 1, limit + 1) if flagged[i] else max(run[e] - relief, 0)
        lost[i] = flagged[i] and run[e] > limit
    return lost
