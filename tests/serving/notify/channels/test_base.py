"""What all channels keep: secrets are named where they are kept and shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.notify.channel import Channel
from serving.notify.channels.base import redact
from tests.serving.notify.servers import Web
from tests.serving.notify.telling import channel, notice


def test_a_secret_is_looked_up_each_time_so_that_it_can_be_changed(
    web: Web, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("first-key\n")
    pager = channel("pagerduty", routing_key=f"file:{file}", url=web.url)
    pager.send(notice())
    file.write_text("second-key\n")
    pager.send(notice())
    file.unlink()
    assert pager.send(notice()).outcome == "retry"
    assert [one.json["routing_key"] for one in web.requests] == ["first-key", "second-key"]
    assert "first-key" not in repr(pager)


def test_a_channel_of_the_catalogue_is_a_channel(secret: str) -> None:
    made: Channel = channel("pagerduty", routing_key="${SECRET}")
    assert made.name == "pagerduty"
    assert made.actions >= {"trigger", "resolve"}


@pytest.mark.parametrize("secret", ["https://h.example/a/T0000001/zz-11_aa", "p4ssw0rd!x y"])
def test_no_telling_piece_of_a_secret_is_left(secret: str) -> None:
    said = redact(f"cannot use {secret}, {secret[-9:]} is wrong", [secret])
    for piece in ("T0000001", "zz-11_aa", "p4ssw0rd"):
        assert piece not in said
    assert said.startswith("cannot use ***")
