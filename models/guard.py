"""What may be learned: what nothing flagged, and nothing near an open incident."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.jit import kernel
from models.detector import Matrix, State, StateError, state_array, state_value
from models.sample import places

__all__ = ["Gate", "Guard"]

LEAK = 0.002
CAPACITY = 8.0
MOST = 50_000
NEVER, FOREVER = -(2**62), 2**62
# Far from the numbers that a sample hashes with the same seed, and beyond its modulus.
FIRST, PARTS = 2**40, 1_000_000

Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]
Texts = NDArray[np.str_]


class Gate:
    """Lets pass what is not flagged, and of the flagged no more than normal life would bring.

    Were no flagged window ever learned, the reference would lose its own top, the next threshold
    would come from what is left, and alerts would grow without end. So ``share`` of the windows
    may pass though flagged; what is not used is saved up to ``CAPACITY`` windows. Normal life
    flags that share and hardly loses any; a burst of n windows gives away at most
    ``CAPACITY + share * n``, and the leak, by which a lasting change is learned at last even if
    nobody judges it.

    Parameters
    ----------
    seed : int
        Which windows leak. Neither leak nor allowance depends on how windows come in batches.
    leak : float, default 0.002
        Share of the flagged that pass whatever came before.

    Source: the bucket, Turner, New directions in communications, IEEE Communications Magazine
    1986; as a bound on what flagged windows may teach, ours.

    >>> gate = Gate(seed=0)
    >>> int(gate.passes(np.ones(600, bool), share=0.005).sum())
    4
    """

    def __init__(self, *, seed: int, leak: float = LEAK) -> None:
        self.seed = seed
        self.leak = leak
        self.seen = 0
        self._saved = np.zeros(1)

    def passes(self, flagged: Bools, *, share: float) -> Bools:
        """Which of the next windows may be learned, shape (n,).

        Parameters
        ----------
        flagged : ndarray of shape (n,), bool
            In order of arrival.
        share : float
            Of all windows, 0 to 1: how many normal life flags.
        """
        leaked = places(FIRST + self.seen, len(flagged), PARTS, self.seed) < self.leak * PARTS
        self.seen += len(flagged)
        return _allowed(flagged, leaked, share, CAPACITY, self._saved)

    def state(self) -> State:
        """All that decides about later windows, as JSON values."""
        return {"seed": self.seed, "seen": self.seen, "saved": float(self._saved[0])}

    def restore(self, state: State) -> None:
        """Take the state of an earlier gate.

        Raises
        ------
        StateError
            A part is missing or has the wrong type or range.
        """
        seed, seen = state_value(state, "seed", int), state_value(state, "seen", int)
        saved = state_value(state, "saved", float)
        if not (seen >= 0 and 0.0 <= saved <= CAPACITY):
            raise StateError(f"state 'seen' is {seen}, 'saved' {saved}; expected 0 to {CAPACITY}")
        self.seed, self.seen = seed, seen
        self._saved[0] = saved


@kernel("boolean[::1](boolean[::1], boolean[::1], float64, float64, float64[::1])")
def _allowed(
    flagged: Bools, leaked: Bools, share: float, capacity: float, saved: NDArray[np.float64]
) -> Bools:
    passes = np.empty(len(flagged), np.bool_)
    for i in range(len(flagged)):
        saved[0] = min(saved[0] + share, capacity)
        passes[i] = not flagged[i] or leaked[i] or saved[0] >= 1.0
        if flagged[i] and passes[i] and not leaked[i]:
            saved[0] -= 1.0
    return passes


class Guard:
    """Holds windows back until it is known whether they may be learned.

    Every window waits for twice ``margin``; then it is learned if the `Gate` let it pass. Windows
    of an entity with an open incident, from ``margin`` before its start, wait until it is judged:
    all are learned if it was benign, flagged or not, and none if it was real. None is missed of
    an incident that is told of within ``margin`` of its start.

    Parameters
    ----------
    width : int
        Columns of a row: whatever is needed to learn a window.
    seed : int
        Of the gate's leak.
    margin : int
        Microseconds.
    most : int
        Windows held back at most, over all incidents; the oldest are then forgotten unlearned.

    ``rows`` are those that wait, shape (waiting, width), in order; their numbers may be replaced.

    Source: ours, issue 3 (guarded learning).
    """

    def __init__(self, width: int, *, seed: int, margin: int, most: int = MOST) -> None:
        self.gate = Gate(seed=seed)
        self.margin = margin
        self.most = most
        self._open: dict[str, int] = {}
        self._clock = NEVER
        self._entity: Texts = np.empty(0, np.str_)
        self._end: Integers = np.empty(0, np.int64)
        self._passed: Bools = np.empty(0, np.bool_)
        self.rows: Matrix = np.empty((0, width))

    @property
    def waiting(self) -> int:
        """Windows not yet learned nor thrown away."""
        return len(self._end)

    @property
    def clock(self) -> int:
        """When the newest window that was admitted ended, microseconds; far below 0 at first."""
        return self._clock

    @property
    def incidents(self) -> dict[str, int]:
        """The start of the open incident of each entity that has one, microseconds."""
        return dict(self._open)

    def admit(
        self,
        entity: Texts,
        end: Integers,
        flagged: Bools,
        rows: Matrix,
        *,
        share: float,
        wait: bool = True,
    ) -> Matrix:
        """Take scored windows in; return the rows that are to be learned now, in order.

        Parameters
        ----------
        entity, end, flagged : ndarrays of shape (n,)
            Whose window, when it ended in microseconds, whether any arm flagged it.
        rows : ndarray of shape (n, width)
        share : float
            Of all windows: how many normal life flags.
        wait : bool
            Whether windows wait that no open incident holds; history need not.
        """
        self._entity = np.concatenate([self._entity, entity])
        self._end = np.concatenate([self._end, end])
        self._passed = np.concatenate([self._passed, self.gate.passes(flagged, share=share)])
        self.rows = np.concatenate([self.rows, rows])
        self._clock = max(self._clock, int(end.max(initial=self._clock)))
        since = [self._open.get(name, FOREVER) for name in self._entity.tolist()]
        held = self._end > np.array(since, np.int64) - self.margin
        due = ~held & (self._end <= self._clock - (2 * self.margin if wait else 0))
        learned = self.rows[due & self._passed]
        held_now = np.flatnonzero(held)
        due[held_now[: max(0, len(held_now) - self.most)]] = True
        self._keep(~due)
        return learned

    def hold(self, entity: str, since: int) -> None:
        """Hold back the windows of an entity: an incident that began at ``since`` is open.

        A second incident of the same entity joins the first.
        """
        self._open[entity] = min(since, self._open.get(entity, since))

    def judge(self, entity: str, *, real: bool | None) -> Matrix:
        """Close the incident of an entity; return the rows that are to be learned now, in order.

        Parameters
        ----------
        real : bool or None
            None where nobody said: its windows then wait, and pass, like any others.

        Raises
        ------
        KeyError
            No incident of the entity is open.
        """
        if entity not in self._open:
            known = ", ".join(self._open) or "none"
            raise KeyError(f"no incident of {entity} is open; open are: {known}")
        near = self._near(entity)
        del self._open[entity]
        if real is None:
            return self.rows[:0]
        learned = self.rows[near] if not real else self.rows[:0]
        self._keep(~near)
        return learned

    def _near(self, entity: str) -> Bools:
        near: Bools = (self._entity == entity) & (self._end > self._open[entity] - self.margin)
        return near

    def _keep(self, kept: Bools) -> None:
        self._entity, self._end = self._entity[kept], self._end[kept]
        self._passed, self.rows = self._passed[kept], self.rows[kept]

    def state(self) -> State:
        """All that is held and open, as arrays and JSON values."""
        return {
            **self.gate.state(),
            "open": [[name, since] for name, since in self._open.items()],
            "clock": self._clock,
            "entity": self._entity.copy(),
            "end": self._end.copy(),
            "passed": self._passed.copy(),
            "rows": self.rows.copy(),
        }

    def restore(self, state: State) -> None:
        """Take the state of an earlier guard of the same width.

        Raises
        ------
        StateError
            A part is missing or has the wrong type, shape or range.
        """
        entity, opened = state.get("entity"), state_value(state, "open", list)
        if not (isinstance(entity, np.ndarray) and entity.ndim == 1 and entity.dtype.kind == "U"):
            raise StateError("state 'entity' is no array of texts")
        if not all(isinstance(i, list) and list(map(type, i)) == [str, int] for i in opened):
            raise StateError(f"state 'open' is {opened!r}, expected pairs of an entity and a time")
        clock = state_value(state, "clock", int)
        count = len(entity)
        end = state_array(state, "end", np.int64, (count,))
        passed = state_array(state, "passed", np.bool_, (count,))
        rows = state_array(state, "rows", np.float64, (count, self.rows.shape[1]))
        self.gate.restore(state)
        self._open, self._clock = dict(opened), clock
        self._entity, self._end, self._passed, self.rows = entity.copy(), end, passed, rows
