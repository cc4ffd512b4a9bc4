"""Half-space trees as arrays, and the kernel that scores and learns.

River's model: the random cuts are read from a River model, and the masses kept here are the
masses it would have. A tree of height h is stored level by level: node j has the children 2j
and 2j + 1, the root is node 1, and entry 0 is unused.

Within a window the masses that score do not change and those that learn only count up. So the
rows of a window may be walked in any order: tree by tree, a block of rows abreast. And a score
is a sum of whole numbers far below 2**53, so that the order of its terms does not matter
either. That is why the numbers are River's, to the last bit.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.jit import kernel
from models.kernels.leaf_sums import leaf_sums, score_by_leaves

if TYPE_CHECKING:
    import river.anomaly

__all__ = ["HalfSpaces"]

# Rows walked together through one tree.
BLOCK = 128


@kernel("void(int32[::1], int32[::1], uint32[::1])")
def pivot(l_mass: NDArray[np.int32], r_mass: NDArray[np.int32], stack: NDArray[np.uint32]) -> None:
    """Make the masses just learned those that score, and begin again from 0, in one tree.

    Goes only where a row has been: below a node without mass there is none, and a high tree is
    nearly empty.
    """
    width = len(l_mass) // 2
    stack[0] = 1
    top = 1
    while top > 0:
        top -= 1
        node = stack[top]
        r_mass[node] = l_mass[node]
        l_mass[node] = 0
        if node < width:
            for side in range(2):
                child = np.uint32(2) * node + np.uint32(side)
                if l_mass[child] > 0 or r_mass[child] > 0:
                    stack[top] = child
                    top += 1


@kernel(
    "void(float64[:, ::1], uint32[:, ::1], float64[:, ::1], int32[:, ::1], int32[:, ::1],"
    " int64[::1], int64, float64[::1], boolean, boolean)"
)
def walk(
    X: NDArray[np.float64],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float64],
    l_mass: NDArray[np.int32],
    r_mass: NDArray[np.int32],
    clock: NDArray[np.int64],
    window_size: int,
    scores: NDArray[np.float64],
    scoring: bool,
    learning: bool,
) -> None:
    """Score the rows, learn them, or score and then learn each in turn.

    ``clock`` holds the rows learned in the current window and the windows completed. While no
    window is complete the scores are 0, as River's are.
    """
    n = len(X)
    n_trees, width = feature.shape
    size_limit = 0.1 * window_size
    max_score = n_trees * window_size * (2 * width - 1)
    node = np.empty(BLOCK, np.uint32)
    total = np.empty(BLOCK)
    weight = np.empty(BLOCK)
    stack = np.empty(64, np.uint32)
    start = 0
    while start < n:
        stop = min(n, start + BLOCK)
        if learning:
            stop = min(stop, start + window_size - clock[0])
        rows = stop - start
        scored = scoring and clock[1] > 0
        total[:rows] = 0.0
        for t in range(n_trees):
            tree_feature = feature[t]
            tree_threshold = threshold[t]
            tree_l = l_mass[t]
            tree_r = r_mass[t]
            for i in range(rows):
                node[i] = 1
                weight[i] = 1.0
            level = 1
            while True:
                if scored:
                    for i in range(rows):
                        mass = tree_r[node[i]]
                        total[i] += weight[i] * mass
                        # A node with little mass ends the sum of its row.
                        weight[i] = 0.0 if mass < size_limit else 2.0 * weight[i]
                if learning:
                    for i in range(rows):
                        tree_l[node[i]] += np.int32(1)
                if level == width:
                    break
                for i in range(rows):
                    at = node[i]
                    right = X[start + i, tree_feature[at]] >= tree_threshold[at]
                    node[i] = np.uint32(2) * at + np.uint32(right)
                level *= 2
            if learning and clock[0] + rows == window_size:
                pivot(tree_l, tree_r, stack)
        if scored:
            for i in range(rows):
                scores[start + i] = 1.0 - total[i] / max_score
        elif scoring:
            scores[start:stop] = 0.0
        if learning:
            clock[0] += rows
            if clock[0] == window_size:
                clock[0] = 0
                clock[1] += 1
        start = stop


@dataclass(frozen=True)
class HalfSpaces:
    """Half-space trees over data in [0, 1], as River's `HalfSpaceTrees` keeps them.

    Attributes
    ----------
    feature : ndarray of shape (n_trees, 2**height), uint32
        The column a node looks at.
    threshold : ndarray of shape (n_trees, 2**height), float64
        A row goes right where its value is not less.
    l_mass, r_mass : ndarray of shape (n_trees, 2**(height + 1)), int32
        Rows that came to a node in the current window, and in the last complete one.
    clock : ndarray of shape (2,), int64
        Rows learned in the current window, windows completed.
    window_size : int
        Rows in a window.

    Source: Tan, Ting and Liu, Fast anomaly detection for streaming data, IJCAI 2011.
    """

    feature: NDArray[np.uint32]
    threshold: NDArray[np.float64]
    l_mass: NDArray[np.int32]
    r_mass: NDArray[np.int32]
    clock: NDArray[np.int64]
    window_size: int

    @property
    def warm(self) -> bool:
        """Whether a window is complete."""
        return bool(self.clock[1])

    @property
    def cold_rows(self) -> int:
        """How many rows must still be learned until the first window is complete."""
        return 0 if self.warm else self.window_size - int(self.clock[0])

    def score(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return River's ``score_one`` of each row: 0 to 1, and 0 for all while cold."""
        n_trees, width = self.feature.shape
        if self.warm and len(X) >= width:
            # So many rows are worth looking at every leaf first.
            sums = leaf_sums(self.r_mass, 0.1 * self.window_size)
            max_score = float(n_trees * self.window_size * (2 * width - 1))
            return score_by_leaves(X, self.feature, self.threshold, sums, max_score)
        return self._walk(X, scoring=True, learning=False)

    def learn(self, X: NDArray[np.float64]) -> None:
        """Do River's ``learn_one`` for each row in order."""
        self._walk(X, scoring=False, learning=True)

    def score_learn(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score each row and then learn it, in order; return the scores."""
        return self._walk(X, scoring=True, learning=True)

    def copy(self) -> HalfSpaces:
        """Return trees with masses of their own; the cuts never change and are shared."""
        return HalfSpaces(
            self.feature,
            self.threshold,
            self.l_mass.copy(),
            self.r_mass.copy(),
            self.clock.copy(),
            self.window_size,
        )

    @classmethod
    def grow(
        cls, n_features: int, *, n_trees: int, height: int, window_size: int, seed: int
    ) -> HalfSpaces:
        """Return empty trees with the cuts that River makes for this seed."""
        # A process that only scores and learns never needs River, which is slow to import.
        from river import anomaly

        model = anomaly.HalfSpaceTrees(
            n_trees=n_trees, height=height, window_size=window_size, seed=seed
        )
        # River makes its cuts when the first row comes; that row is then forgotten.
        model.learn_one(dict.fromkeys(range(n_features), 0.5))  # type: ignore[no-untyped-call]
        spaces = cls.from_river(model, range(n_features))
        spaces.l_mass[:] = 0
        spaces.r_mass[:] = 0
        spaces.clock[:] = 0
        return spaces

    @classmethod
    def from_river(
        cls, model: river.anomaly.HalfSpaceTrees, features: Sequence[Hashable]
    ) -> HalfSpaces:
        """Return the trees and masses of a River model that has learned at least one row.

        Parameters
        ----------
        model : river.anomaly.HalfSpaceTrees
        features : sequence
            River's keys, in the order of our columns.
        """
        columns = {key: column for column, key in enumerate(features)}
        width = 2**model.height
        feature = np.zeros((model.n_trees, width), np.uint32)
        threshold = np.zeros((model.n_trees, width))
        l_mass = np.zeros((model.n_trees, 2 * width), np.int32)
        r_mass = np.zeros((model.n_trees, 2 * width), np.int32)
        for t, root in enumerate(model.trees):
            nodes = [root]
            for level in range(model.height + 1):
                here = slice(2**level, 2 ** (level + 1))
                l_mass[t, here] = [node.l_mass for node in nodes]
                r_mass[t, here] = [node.r_mass for node in nodes]
                if level < model.height:
                    feature[t, here] = [columns[node.feature] for node in nodes]
                    threshold[t, here] = [node.threshold for node in nodes]
                    nodes = [child for node in nodes for child in node.children]
        # River keeps no count of windows; all rows of the last one came through the root.
        clock = np.array([model.counter, r_mass[0, 1] > 0], np.int64)
        return cls(feature, threshold, l_mass, r_mass, clock, model.window_size)

    def _walk(
        self, X: NDArray[np.float64], *, scoring: bool, learning: bool
    ) -> NDArray[np.float64]:
        scores = np.empty(len(X) if scoring else 0)
        walk(
            X,
            self.feature,
            self.threshold,
            self.l_mass,
            self.r_mass,
            self.clock,
            self.window_size,
            scores,
            scoring,
            learning,
        )
        return scores
