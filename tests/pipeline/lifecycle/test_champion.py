"""Whatever is missing, damaged or down, it is said plainly what still serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from features.view import FeatureView
from models.registry import Registry, RegistryError
from pipeline.files import InputError
from pipeline.lifecycle.champion import Champion, champion, rollback
from pipeline.lifecycle.enlist import open_registry
from tests.pipeline.lifecycle.retraining import NOW, VIEW, copied, retraining, shared_home

DOWN = "http://127.0.0.1:9"
OK, LAST, NOTHING = "ok", "degraded: last known champion", "degraded: thresholds only"
REASON = "it rings too much"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose second version replaced the first."""
    home = copied(shared_home(tmp_path_factory), tmp_path_factory.mktemp("two") / "home")
    assert retraining(home).run(VIEW, now=NOW).what == "promoted"
    return home


@pytest.fixture
def home(two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return copied(two, tmp_path / "home")


def folder(home: Path) -> Path:
    return home / "models" / VIEW.name


def asked(home: Path, uri: str | None = None, view: FeatureView = VIEW) -> Champion:
    return champion(view, open_registry(home, uri), home)


def told(found: Champion) -> tuple[str, int | None, bool]:
    return found.state, found.version, found.scorer is not None


def break_artifact(home: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    """What the registry sends of version 2 is damaged or missing, and no copy of it is here."""
    whole = Registry.fetch

    def fetch(registry: Registry, version: object, to: Path) -> None:
        if content is None:
            raise RegistryError("the artifact is gone")
        whole(registry, version, to)  # type: ignore[arg-type]
        to.write_bytes(content)

    monkeypatch.setattr(Registry, "fetch", fetch)


def test_the_champion_of_the_registry_serves(home: Path) -> None:
    found = asked(home)
    assert told(found) == (OK, 2, True)
    assert found.scorer is not None
    assert found.scorer.warm


def test_its_file_is_fetched_where_there_is_none(home: Path) -> None:
    for path in folder(home).glob("*.npz"):
        path.unlink()
    assert told(asked(home)) == (OK, 2, True)
    assert (folder(home) / "champion.npz").readlink().name.startswith("2-")


def test_a_server_that_is_down_leaves_the_last_known(home: Path) -> None:
    found = asked(home, DOWN)
    assert told(found) == (LAST, 2, True)
    assert "127.0.0.1:9" in found.detail


def test_a_server_that_is_down_and_no_copy_leaves_thresholds_only(home: Path) -> None:
    found = asked(home / "elsewhere", DOWN)
    assert told(found) == (NOTHING, None, False)
    assert found.detail.endswith("none is kept here")


def test_an_empty_registry_leaves_thresholds_only(home: Path) -> None:
    for path in folder(home).glob("*.npz"):
        path.unlink()
    other = replace(VIEW, name="trades.unheard_of")
    found = asked(home, view=other)
    assert told(found) == (NOTHING, None, False)
    assert "no champion is registered" in found.detail


def test_a_copy_that_is_damaged_is_fetched_again(home: Path) -> None:
    (folder(home) / "champion.npz").resolve().write_bytes(b"damaged")
    assert told(asked(home)) == (OK, 2, True)


@pytest.mark.parametrize("content", [b"damaged", b"", None])
def test_an_artifact_that_is_damaged_or_missing_leaves_the_last_known(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    rollback(VIEW, open_registry(home), home, who="ann", now=NOW, why=REASON)
    registry = open_registry(home)
    newest = registry.versions(VIEW.name)[-1]
    registry.appoint(newest, kind="promote", who="ann", when=NOW, why="again")
    for path in folder(home).glob("2-*.npz"):
        path.unlink()
    break_artifact(home, monkeypatch, content)
    assert told(asked(home)) == (LAST, 1, True)


def test_a_view_whose_features_changed_leaves_thresholds_only(home: Path) -> None:
    changed = replace(VIEW, declared=VIEW.declared[:-1])
    found = asked(home, view=changed)
    assert told(found) == (NOTHING, None, False)
    assert "its features are not those" in found.detail


def test_only_the_copies_of_the_last_two_champions_are_kept(home: Path) -> None:
    old = folder(home) / "9-deadbeef.npz"
    old.write_bytes(b"old")
    rollback(VIEW, open_registry(home), home, who="ann", now=NOW, why=REASON)
    kept = {path.name.split("-")[0] for path in folder(home).glob("*.npz")}
    assert kept == {"1", "2", "champion.npz"}


def test_rollback_brings_back_the_one_before_and_says_who_when_and_why(home: Path) -> None:
    registry = open_registry(home)
    found = rollback(VIEW, registry, home, who="ann", now=NOW, why=REASON)
    assert told(found) == (OK, 1, True)
    assert told(asked(home, DOWN)) == (LAST, 1, True)
    change = registry.changes(VIEW.name)[-1]
    assert vars(change) == {
        "kind": "rollback",
        "before": 2,
        "after": 1,
        "who": "ann",
        "when": NOW.isoformat(),
        "why": REASON,
    }


def test_rollback_does_not_go_back_and_forth(home: Path) -> None:
    registry = open_registry(home)
    rollback(VIEW, registry, home, who="ann", now=NOW, why=REASON)
    with pytest.raises(InputError, match="no champion before this one; other versions: 2"):
        rollback(VIEW, registry, home, who="ann", now=NOW, why=REASON)
    assert told(rollback(VIEW, registry, home, who="ann", now=NOW, why=REASON, to=2))[1] == 2


@pytest.mark.parametrize("to", [2, 7])
def test_rollback_to_the_champion_or_to_nothing_is_refused(home: Path, to: int) -> None:
    with pytest.raises(InputError, match=f"version {to} cannot take over; other versions: 1"):
        rollback(VIEW, open_registry(home), home, who="ann", now=NOW, why=REASON, to=to)


def test_rollback_to_what_cannot_be_loaded_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in folder(home).glob("1-*.npz"):
        path.unlink()
    break_artifact(home, monkeypatch, b"damaged")
    registry = open_registry(home)
    with pytest.raises(InputError, match="version 1 cannot be loaded"):
        rollback(VIEW, registry, home, who="ann", now=NOW, why=REASON)
    assert registry.aliases(VIEW.name) == {"champion": 2}
    assert [change.kind for change in registry.changes(VIEW.name)] == ["promote", "promote"]
