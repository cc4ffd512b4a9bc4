"""The contract of a channel."""

from __future__ import annotations

from serving.notify.channel import Channel, Delivery
from serving.notify.channels.catalogue import KINDS


def test_every_kind_in_the_catalogue_has_what_a_channel_has() -> None:
    wanted = {name for name in vars(Channel) if not name.startswith("_")}
    assert wanted == {"name", "actions", "send"}
    for kind in KINDS.values():
        assert all(hasattr(kind, name) for name in wanted)
        assert kind.actions


def test_a_delivery_says_nothing_by_default() -> None:
    assert Delivery("sent") == Delivery("sent", "", None)
