"""A fair sample of the rows that came by, the same however they came in batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.jit import kernel
from models.detector import Matrix, State, state_array, state_value

__all__ = ["Sample", "places"]


class Sample:
    """At most ``size`` of the rows added, drawn evenly from the last ``memory`` or so.

    Up to ``memory`` rows every row is as likely to be kept as any other; from then on a kept row
    fades, and after ``memory`` more rows it is kept with a chance of 1/e.

    Parameters
    ----------
    size : int
        Rows kept.
    width : int
        Columns of a row.
    seed : int
        Which rows are kept.
    memory : int
        At least ``size``.

    Source: algorithm R, Vitter, ACM TOMS 11(1), 1985; the fading, Aggarwal, VLDB 2006.

    >>> sample = Sample(2, 1, seed=0, memory=1000)
    >>> sample.add(np.arange(100.0)[:, None])
    >>> sample.rows.shape, sample.seen
    ((2, 1), 100)
    """

    def __init__(self, size: int, width: int, *, seed: int, memory: int) -> None:
        if not 1 <= size <= memory:
            raise ValueError(f"size is {size}, memory {memory}; expected 1 <= size <= memory")
        self.size = size
        self.seed = seed
        self.memory = memory
        self.seen = 0
        self.rows: Matrix = np.empty((0, width))

    def add(self, X: Matrix) -> None:
        """Add rows of shape (n, width), in order."""
        free = self.size - len(self.rows)
        self.rows = np.concatenate([self.rows, X[:free]])
        late = X[free:]
        place = places(self.seen + len(X) - len(late), len(late), self.memory, self.seed)
        kept = place < self.size
        # Of two rows for one place numpy keeps the later, as one by one would.
        self.rows[place[kept]] = late[kept]
        self.seen += len(X)

    def restore(self, state: State) -> None:
        """Take the ``rows`` and the count ``seen`` of an earlier sample of the same shape.

        Raises
        ------
        StateError
            A part is missing or has the wrong type or shape.
        """
        seen = state_value(state, "seen", int)
        shape = (min(seen, self.size), self.rows.shape[1])
        self.rows, self.seen = state_array(state, "rows", np.float64, shape), seen


@kernel("int64[::1](int64, int64, int64, int64)")
def places(seen: int, count: int, memory: int, seed: int) -> NDArray[np.int64]:
    """For each row after the first ``seen`` a random place below ``min(row number, memory)``.

    Shape (count,). A hash of the seed and the row's number, so that batches do not matter.

    Source: the mix of SplitMix64, Steele, Lea and Flood, OOPSLA 2014.
    """
    place = np.empty(count, np.int64)
    for i in range(count):
        number = seen + i + 1
        bits = np.uint64(number) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits ^= bits >> np.uint64(31)
        place[i] = np.int64(bits >> np.uint64(1)) % min(number, memory)
    return place
