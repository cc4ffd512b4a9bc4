"""The whole house on a real node: told within a block, taken back, and ahead of the thief."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
import yaml

from pipeline.config import Config, ConfigError
from pipeline.simulate.chain import anvil
from pipeline.simulate.chain.attacks import AdminTheft, Drain
from pipeline.simulate.chain.ledger import ETHER
from pipeline.simulate.chain.world import World
from serving.house import House
from serving.watchers import watchers
from tests.pipeline.simulate.chain.nodes import absent
from tests.serving.playbooks.actions.acting import keystore
from tests.serving.uprunning import PATIENCE_S, tocsin

PUSH = {"kind": "push", "name": "hosts", "stream": "host"}
NOWHERE = {"kind": "chain", "name": "main", "endpoints": ["http://127.0.0.1:9"]}
ADDRESS = "0x" + "1" * 40


def house(folder: Path, *sources: dict[str, Any], **serving: Any) -> House:
    config = Config.model_validate({"home": folder, "sources": sources, "serving": serving})
    return House.open(config, clock=lambda: datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        ([PUSH], []),
        ([NOWHERE], ["heads of main"]),
        ([PUSH, NOWHERE, {**NOWHERE, "name": "side"}], ["heads of main", "heads of side"]),
        ([{**NOWHERE, "websocket": "ws://127.0.0.1:9"}], ["heads of main"]),
    ],
)
def test_each_chain_has_its_newest_blocks_looked_at(
    tmp_path: Path, sources: list[dict[str, Any]], names: list[str]
) -> None:
    opened = house(tmp_path, *sources)
    found = watchers(opened, Event())
    assert [one.name for one in found] == names
    for one in found:
        assert (one.wait is not None) == ("websocket" in sources[0])
        one.close()
    opened.close()


def test_pending_transactions_are_looked_at_where_asked_for(tmp_path: Path) -> None:
    signer = {"keystore": str(_key(tmp_path)), "passphrase": "file:none"}
    chain = {
        "endpoints": ["http://127.0.0.1:9"],
        "signers": {"guardian": signer},
        "contracts": {"vault": ADDRESS},
    }
    asked = {"services": {"chain": chain}, "preempt": ["vault"]}
    opened = house(tmp_path, PUSH, playbooks=asked)
    (found,) = watchers(opened, Event())
    assert found.name == "pending transactions"
    found.close()
    opened.close()


def _key(folder: Path) -> Path:
    file = folder / "guardian.json"
    file.write_text('{"address": "' + ADDRESS[2:] + '"}')
    return file


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"preempt": ["vault"]}, "preempt: vault is unknown; expected some of .* none"),
        (
            {
                "preempt": ["vault"],
                "services": {"chain": {"endpoints": ["x"], "contracts": {"vault": ADDRESS}}},
            },
            "signers has no guardian; expected one",
        ),
    ],
)
def test_a_defence_that_could_not_act_is_refused(
    tmp_path: Path, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        house(tmp_path, PUSH, playbooks=given)


@pytest.fixture
def living() -> Iterator[tuple[World, anvil.Anvil]]:
    """A world on anvil whose blocks are of the last minutes."""
    program = anvil.find()
    if program is None:
        absent("anvil", "npm install @foundry-rs/anvil, and set ANVIL to node_modules/.bin/anvil")
    assert program is not None
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
    with anvil.run(program, round(start.timestamp())) as node:
        made = World(node, seed=1, start=start)
        made.deploy()
        yield made, node


def written(folder: Path, on: World, node: anvil.Anvil, **playbooks: Any) -> None:
    """The configuration of a house that watches the world."""
    watched = [
        {"address": w.address, "ether": w.ether, "owes": w.owes, "supply": w.supply}
        for w in on.watched
    ]
    newest = int(on.ledger.request("eth_blockNumber"), 16)
    source = {"kind": "chain", "name": "main", "endpoints": [node.url], "start": newest}
    source |= {"websocket": node.websocket, "watched": watched}
    source |= {"labels": {"mixer": [on.contracts["mixer"].address]}}
    keys = keystore(folder, on.wallet("guardian")), f"file:{folder / 'passphrase'}"
    chain: dict[str, Any] = {
        "endpoints": [node.url],
        "signers": {"guardian": dict(zip(("keystore", "passphrase"), map(str, keys), strict=True))},
        "contracts": {name: on.contracts[name].address for name in ("vault", "unsafe_vault")},
    }
    playbooks |= {"services": {"chain": chain}}
    given = {"home": "house", "models": "cold", "sources": [source]}
    given |= {"serving": {"port": 0, "playbooks": playbooks}}
    (folder / "tocsin.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")


def until(found: Callable[[], Any]) -> Any:
    """What is found once it is there."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if given := found():
            return given
        time.sleep(0.05)
    raise AssertionError("it did not come")


def families(http: httpx.Client, **asked: str) -> dict[str, Any]:
    items = http.get("/v1/alerts", params={"limit": 100, **asked}).json()["items"]
    return {alert["family"]: alert for alert in items}


def test_a_block_that_is_announced_wakes_the_stream_too(
    tmp_path: Path, living: tuple[World, anvil.Anvil]
) -> None:
    on, node = living
    source = {"kind": "chain", "name": "main", "endpoints": [node.url]}
    opened, news = house(tmp_path, source | {"websocket": node.websocket}), Event()
    (found,) = watchers(opened, news)
    assert found.wait is not None
    try:
        found.wait(PATIENCE_S)  # it is connected
        assert news.is_set()
        news.clear()
        on.ledger.mine()
        found.wait(PATIENCE_S)
        assert news.is_set()
    finally:
        found.close()
        opened.close()


def test_an_attack_is_told_as_it_is_prepared_and_within_its_block_and_taken_back_with_it(
    tmp_path: Path, living: tuple[World, anvil.Anvil]
) -> None:
    on, node = living
    drain = Drain(on, "first")
    written(tmp_path, on, node, start=False)
    with tocsin("up", folder=tmp_path) as running, running.http() as http:
        AdminTheft(on).grant()
        role = until(lambda: families(http).get("contract.role"))
        assert (role["severity"], role["state"]) == ("medium", "firing")
        drain.fund()
        drain.prepare()
        on.act(12)  # who he is, is told when his blocks are deep enough
        told = until(lambda: families(http).get("story.preparation"))
        assert drain.contract is not None
        assert (told["entity"], told["severity"]) == (drain.contract.address, "high")
        drain.strike()
        alert = until(lambda: families(http).get("contract.reserves"))
        assert (alert["severity"], alert["state"]) == ("critical", "firing")
        on.ledger.request("anvil_reorg", 1, [])
        until(lambda: families(http)["contract.reserves"]["state"] == "resolved")
        assert not any("failed" in line or "Error" in line for line in running.lines)


def test_the_pause_overtakes_the_theft_and_honest_people_are_left_alone(
    tmp_path: Path, living: tuple[World, anvil.Anvil]
) -> None:
    on, node = living
    drain, of = Drain(on, "second"), on.contracts
    vault = of["unsafe_vault"]
    on.ledger.time += 60  # anvil gives blocks that take others' places times of its own
    drain.fund()
    drain.prepare()
    written(tmp_path, on, node, preempt=["vault", "unsafe_vault"])
    with tocsin("up", folder=tmp_path) as running, running.http() as http:
        saver = on.wallet("depositor0")
        on.ledger.send(saver, of["vault"], "deposit", value=ETHER)
        on.ledger.send(saver, vault, "withdraw_all")
        on.ledger.send(on.wallet("whale1"), of["vault"], "withdraw", 100 * ETHER)
        attack = drain.send(0.3, tip=30 * 10**9)
        alert = until(lambda: families(http).get("contract.pending_theft"))
        assert (alert["entity"], alert["severity"]) == (vault.address, "critical")
        guardian = on.wallet("guardian").address
        until(lambda: any(sent["from"] == guardian for sent in waiting(on)))
        # Nobody else was told of.
        assert set(families(http)) == {"contract.pending_theft"}
        before = on.ledger.balance(vault.address)
        on.ledger.mine()
        assert on.ledger.ask(vault, "paused")
        assert not on.ledger.ask(of["vault"], "paused")
        assert on.ledger.receipt(attack)["status"] == "0x0"
        assert on.ledger.balance(vault.address) == before
        until(lambda: families(http).get("contract.pause"))
        (run,) = http.get("/v1/runs").json()["items"]
        assert (run["playbook"], run["incident"]) == ("contract_compromise", alert["incident"])


def waiting(on: World) -> list[Any]:
    block = on.ledger.request("eth_getBlockByNumber", "pending", True)
    return list(block["transactions"])
