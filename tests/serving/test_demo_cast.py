"""Who plays when, and whose alert is whose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios import SCENARIOS
from serving.alerts.ledger import REOPEN
from serving.demo import PATIENCE
from serving.demo_cast import LANES, TWIN_FIRST, Act, Cast, Stage, order
from serving.demo_chain import DemoChain

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Cast:
    pytest.importorskip("eth_tester")
    chain = DemoChain(0, BEGIN, tmp_path_factory.mktemp("keys"))
    return Cast(Platform(0, BEGIN, chain=chain.world, patience=PATIENCE), BEGIN)


def act_of(cast: Cast, number: int, kind: str) -> Act:
    return next(act for act in cast.acts if (act.number, act.kind) == (number, kind))


def test_every_scenario_is_played_within_a_working_day(cast: Cast) -> None:
    played = [number for lane in LANES for number in lane]
    assert sorted(played) == sorted(scenario.number for scenario in SCENARIOS.values())
    assert {(act.number, act.kind) for act in cast.acts} == {
        (number, kind) for number in played for kind in ("attack", "decoy")
    }
    assert cast.not_played == {}
    assert cast.end - cast.begin < timedelta(hours=9)


def test_what_a_platform_cannot_play_is_said() -> None:
    cast = Cast(Platform(0, BEGIN), BEGIN, {1, 4})
    assert [act.number for act in cast.acts] == [4, 4]
    assert "chain" in cast.not_played["S1"]


@pytest.mark.parametrize("lane", LANES)
def test_what_shares_streams_plays_one_after_the_other(cast: Cast, lane: tuple[int, ...]) -> None:
    acts = [act_of(cast, number, kind) for number in lane for kind in order(number)]
    for before, after in pairwise(acts):
        assert after.start > before.end
    assert all(BEGIN < act.start < act.end < cast.end for act in acts)


def test_only_those_asked_for_play() -> None:
    cast = Cast(Platform(0, BEGIN), BEGIN, {5})
    assert [act.name for act in cast.acts] == ["S5 attack", "S5 twin"]


@pytest.mark.parametrize("number", TWIN_FIRST)
def test_a_twin_at_work_where_its_attack_is_comes_well_before(cast: Cast, number: int) -> None:
    twin, attack = act_of(cast, number, "decoy"), act_of(cast, number, "attack")
    assert attack.start - twin.end >= 2 * REOPEN


def test_an_alert_on_an_actor_belongs_to_its_stage(cast: Cast) -> None:
    attack = act_of(cast, 5, "attack")
    (stage, *_) = attack.stages
    account, market = stage.entity.split("|")
    for entity in (stage.entity, account, market):
        found = cast.whose(entity, stage.start, stage.start + MINUTE)
        assert found is not None
        assert found[0] == attack
    assert cast.whose("account-99999", stage.start, stage.start + MINUTE) is None
    assert cast.whose(f"account-99999|{market}", stage.start, stage.start + MINUTE) is None


def test_nothing_belongs_to_what_has_not_begun_or_is_long_over(cast: Cast) -> None:
    attack = act_of(cast, 4, "attack")
    for stage in attack.stages:
        assert attack.stage_of(stage.entity, attack.start - MINUTE, attack.start) is None
        late = attack.end + 11 * MINUTE
        assert attack.stage_of(stage.entity, late, late + MINUTE) is None


def test_the_owner_of_a_stolen_key_belongs_to_it(cast: Cast) -> None:
    attack = act_of(cast, 4, "attack")
    entities = {stage.entity.split("-")[0] for stage in attack.stages}
    assert {"key", "account"} <= entities


def test_the_network_of_an_address_belongs_to_it(cast: Cast) -> None:
    attack = act_of(cast, 4, "attack")
    ip = next(stage.entity for stage in attack.stages if stage.entity.count(".") == 3)
    subnet = ip.rsplit(".", 1)[0] + ".0/24"
    assert attack.stage_of(subnet, attack.start, attack.start + MINUTE) is not None


def test_an_attack_comes_before_a_twin() -> None:
    stage = Stage("any", "v", "A", BEGIN, BEGIN + MINUTE)
    cast = Cast(Platform(0, BEGIN), BEGIN, ())
    cast.acts = [Act(1, "t", kind, ("trades",), (stage,)) for kind in ("decoy", "attack")]
    found = cast.whose("A", BEGIN, BEGIN + MINUTE)
    assert found is not None
    assert found[0].kind == "attack"
    assert cast.beside("trades", BEGIN, BEGIN + MINUTE) == cast.acts
    assert cast.beside("access", BEGIN, BEGIN + MINUTE) == []
