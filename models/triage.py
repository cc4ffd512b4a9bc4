"""What analysts made of earlier alerts, as the chance that the next one is real.

It ranks; it hides nothing. Until analysts have judged enough alerts of each kind it says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from river.linear_model import LogisticRegression
from river.optim import SGD
from river.preprocessing import StandardScaler

from models.detector import State, StateError, state_array, state_value

__all__ = ["Evidence", "Opinion", "Triage", "Verdict"]

Verdict: TypeAlias = Literal["real", "noise", "wrong_team"]
"""What an analyst says of an alert: it was real, it was nothing, it was another team's."""

Evidence: TypeAlias = Mapping[str, float | str]
"""What is known of an alert, by name: finite numbers, and texts such as its view, arm or rule."""

LEAST = 10
# Found on simulated alerts (tests): slower has learned too little from fifty verdicts.
RATE, SHRINK = 0.1, 0.01


@dataclass(frozen=True)
class Opinion:
    """What verdicts on earlier alerts say of one.

    Parameters
    ----------
    real : float or None
        Chance that it is not noise; None until there are 10 verdicts of noise and 10 others.
    ours : float or None
        Chance that, if it is real, it is this team's; None until there are 10 real alerts that
        were and 10 that were not.
    """

    real: float | None
    ours: float | None


class Triage:
    """Learns from verdicts, one by one, and puts alerts in order.

    Parameters
    ----------
    least : int
        Verdicts of each kind before it says anything, at least 1.

    ``verdicts`` counts what was learned.

    Source: River's standardised logistic regression by stochastic gradient descent, with
    one column for each value of a text; the two questions and the abstention are ours.

    >>> triage = Triage(least=1)
    >>> triage.learn({"arm": "surge", "score": 9.0}, "real")
    >>> triage.opinion({"arm": "surge", "score": 8.0})
    Opinion(real=None, ours=None)
    >>> triage.learn({"arm": "forest", "score": 3.0}, "noise")
    >>> triage.rank([{"arm": "forest", "score": 3.0}, {"arm": "surge", "score": 8.0}])
    [1, 0]
    """

    version = 1

    def __init__(self, *, least: int = LEAST) -> None:
        if least < 1:
            raise ValueError(f"least is {least}, expected 1 or more")
        self.least = least
        self.verdicts: Counter[str] = Counter()
        self._scale: Any = StandardScaler()
        self._real, self._ours = (
            LogisticRegression(SGD(RATE), l2=SHRINK, intercept_lr=RATE) for _ in range(2)
        )

    def learn(self, evidence: Evidence, verdict: Verdict) -> None:
        """Learn an analyst's verdict on an alert.

        Raises
        ------
        ValueError
            There is no such verdict, or the evidence holds a number that is not finite.
        """
        if verdict not in get_args(Verdict):
            known = ", ".join(get_args(Verdict))
            raise ValueError(f"verdict is {verdict!r}, expected one of: {known}")
        numbers, texts = _columns(evidence)
        self.verdicts[verdict] += 1
        self._scale.learn_one(numbers)
        x = self._scale.transform_one(numbers) | texts
        self._real.learn_one(x, verdict != "noise")
        if verdict != "noise":
            self._ours.learn_one(x, verdict == "real")

    def opinion(self, evidence: Evidence) -> Opinion:
        """What verdicts on earlier alerts say of this one; nothing is changed.

        Raises
        ------
        ValueError
            The evidence holds a number that is not finite.
        """
        numbers, texts = _columns(evidence)
        x = self._scale.transform_one(numbers) | texts
        seen = self.verdicts
        told_ours = min(seen["real"], seen["wrong_team"]) >= self.least
        return Opinion(
            _chance(self._real, x) if self.speaks else None,
            _chance(self._ours, x) if told_ours else None,
        )

    @property
    def speaks(self) -> bool:
        """Whether there are enough verdicts to say whether an alert is real."""
        noise = self.verdicts["noise"]
        return min(self.verdicts.total() - noise, noise) >= self.least

    def rank(self, alerts: Sequence[Evidence]) -> list[int]:
        """The places of all alerts, the likeliest to be real first; as given while it abstains."""
        chances = [self.opinion(evidence).real for evidence in alerts]
        return sorted(range(len(alerts)), key=lambda i: -(chances[i] or 0.0))

    def state(self) -> State:
        """All that was learned, as arrays and JSON values."""
        scale = self._scale
        state: dict[str, Any] = {
            "least": self.least,
            "verdicts": [[name, count] for name, count in self.verdicts.items()],
            "numbers": list(scale.counts),
            "moments": np.array(
                [(scale.counts[c], scale.means[c], scale.vars[c]) for c in scale.counts]
            ).reshape(-1, 3),
        }
        for name, line in (("real", self._real), ("ours", self._ours)):
            state[f"{name}/columns"] = list(line.weights)
            state[f"{name}/weights"] = np.array(list(line.weights.values()), np.float64)
            state[f"{name}/intercept"] = float(line.intercept)
            state[f"{name}/iterations"] = int(line.optimizer.n_iterations)
        return state

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The triage that `state` describes; it answers, and goes on learning, bit by bit alike.

        Raises
        ------
        StateError
            A part is missing or has the wrong type, shape or range.
        """
        try:
            new = cls(least=state_value(state, "least", int))
            new.verdicts = Counter({n: int(c) for n, c in state_value(state, "verdicts", list)})
        except (TypeError, ValueError) as error:
            raise StateError(f"state holds no triage: {error}") from error
        numbers = state_value(state, "numbers", list)
        moments = _finite(state, "moments", (len(numbers), 3))
        for column, (count, mean, variance) in zip(numbers, moments.tolist(), strict=True):
            new._scale.counts[column] = int(count)
            new._scale.means[column], new._scale.vars[column] = mean, variance
        for name, line in (("real", new._real), ("ours", new._ours)):
            columns = state_value(state, f"{name}/columns", list)
            weights = _finite(state, f"{name}/weights", (len(columns),))
            for column, weight in zip(columns, weights.tolist(), strict=True):
                line._weights[column] = weight
            line.intercept = state_value(state, f"{name}/intercept", float)
            line.optimizer.n_iterations = state_value(state, f"{name}/iterations", int)
        return new


def _finite(state: State, key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = state_array(state, key, np.float64, shape)
    if not np.isfinite(found).all():
        raise StateError(f"state {key!r} holds a NaN or an infinity")
    return found


def _chance(model: Any, x: dict[str, float]) -> float:
    return float(model.predict_proba_one(x)[True])


def _columns(evidence: Evidence) -> tuple[dict[str, float], dict[str, float]]:
    """Numbers as they are, and each text as a column of its own that is 1."""
    numbers: dict[str, float] = {}
    texts: dict[str, float] = {}
    for name, value in evidence.items():
        if isinstance(value, str):
            texts[f"{name}={value}"] = 1.0
        elif np.isfinite(value):
            numbers[name] = float(value)
        else:
            raise ValueError(f"evidence {name!r} is {value}, expected a finite number or a text")
    return numbers, texts
