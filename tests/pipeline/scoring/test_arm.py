"""The arms of a view are those of the catalogue that have something to see in it."""

from __future__ import annotations

import numpy as np
import pytest

from features.catalogue import VIEWS
from features.system import HOST_1M
from features.trading import SYMBOL_5S
from models.catalogue import KINDS, Kind
from models.detector import Detector, Matrix, State, Vector
from pipeline.scoring.arm import Arm, arms_of
from pipeline.scoring.inputs import inputs

VIEW_NAMES = sorted(VIEWS)


def arms(name: str) -> list[Arm]:
    return arms_of(inputs(VIEWS[name]), seed=0)


@pytest.mark.parametrize("name", VIEW_NAMES)
def test_one_chief_has_what_the_other_arms_leave(name: str) -> None:
    found = arms(name)
    assert sum(arm.weight for arm in found) == pytest.approx(1.0)
    chiefs = [arm for arm in found if arm.kind.share is None]
    assert [arm.name for arm in chiefs] == ["surge" if VIEWS[name].main else "nearest_normal"]
    assert chiefs[0].weight > 0.9


@pytest.mark.parametrize("name", VIEW_NAMES)
def test_every_arm_sees_its_own_columns(name: str) -> None:
    given = inputs(VIEWS[name])
    width = sum(len(of.columns) for of in given.values())
    seen = np.arange(float(width))[None]
    names = [column for of in given.values() for column in of.columns]
    for arm in arms(name):
        assert [names[int(at)] for at in arm.of(seen)[0]] == list(arm.detector.features)


class Loudest(Detector):
    """The greatest of all numbers: an arm of one file."""

    name = "loudest"
    warm = True

    def _fit(self, X: Matrix, seed: int) -> None: ...

    def _score(self, X: Matrix) -> Vector:
        return X.max(axis=1)

    def state(self) -> State:
        return {"features": list(self.features)}

    @classmethod
    def from_state(cls, state: State) -> Loudest:
        return cls(list(state["features"]))  # type: ignore[arg-type]


def test_a_new_arm_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.scoring.arm.KINDS", (Kind(Loudest, "concern", 0.1), *KINDS))
    found = arms_of(inputs(HOST_1M), seed=0)
    assert (found[0].name, found[0].weight) == ("loudest", 0.1)
    assert sum(arm.weight for arm in found) == pytest.approx(1.0)


def test_an_arm_that_learns_everything_follows_and_is_not_taught_again() -> None:
    (arm,) = (arm for arm in arms_of(inputs(SYMBOL_5S), seed=0) if arm.kind.learns == "everything")
    seen = np.ones((4, arm.place.stop))
    arm.follow(seen, seed=0)
    assert arm.detector.warm
    state = arm.detector.state()["series"]
    arm.learn(seen, np.zeros(4))
    np.testing.assert_array_equal(arm.detector.state()["series"], state)
    assert not arm.fit(seen, seed=0)
    arm.follow(seen[:1], seed=0)
    assert not np.array_equal(arm.detector.state()["series"], state)
