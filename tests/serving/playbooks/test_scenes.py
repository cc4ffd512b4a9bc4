"""Made-up incidents: one for every playbook, of scenarios that the platform can play."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.playbooks.definition import PlaybookError, load_library
from serving.playbooks.scenes import ON_CHAIN, SCENES, scene_for


def test_every_playbook_has_a_scene() -> None:
    assert {*SCENES, ON_CHAIN} == set(load_library())


def test_a_playbook_without_a_scene_is_named_with_those_that_have_one() -> None:
    with pytest.raises(PlaybookError, match="no scene to drill 'gone'; expected one of account_"):
        scene_for("gone", Path(), 0)
