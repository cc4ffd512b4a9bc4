"""A small report on made-up figures is rendered as it was when a person last looked at it."""

from __future__ import annotations

import pytest

from tests.pipeline.reporting import GOLDEN, rendered


@pytest.mark.parametrize("name", ["report.html", "report.md", "results.json"])
def test_the_made_up_report_is_rendered_as_kept(name: str) -> None:
    kept = (GOLDEN / name).read_text(encoding="utf-8")
    assert rendered()[name] == kept, "look at it, then run `python -m tests.pipeline.reporting`"
