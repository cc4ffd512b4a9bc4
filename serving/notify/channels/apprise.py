"""Any service that apprise knows a URL for: ``ntfy://``, ``discord://``, ``matrix://`` and more."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from pipeline.config import reveal
from serving.notify.channel import Delivery
from serving.notify.channels.base import Base, Secret
from serving.notify.message import headline, page
from serving.notify.notice import Notice

if TYPE_CHECKING:
    import apprise

__all__ = ["Apprise"]

KINDS = {"acknowledge": "info", "resolve": "success"}


class Apprise(Base):
    """Subject and plain text; needs the extra ``apprise``.

    apprise says only whether it went well, not why not: what failed is tried again.

    Parameters
    ----------
    target : Secret
        The URL.
    """

    target: Secret

    def deliver(self, notice: Notice) -> Delivery:
        """Hand one message to apprise."""
        try:
            sender = _sender(reveal(self.target))
        except ImportError:
            return Delivery("refused", "apprise is not installed; expected the extra `apprise`")
        if not len(sender):
            return Delivery("refused", "apprise knows no service for this URL")
        bad = "warning" if notice.severity in ("info", "low", "medium") else "failure"
        sent = sender.notify(
            title=headline(notice),
            body=page(notice, self._around.pages)[0],
            notify_type=KINDS.get(notice.action, bad),
        )
        return Delivery("sent") if sent else Delivery("retry", "apprise could not send it")


@cache
def _sender(url: str) -> apprise.Apprise:
    import apprise

    # It logs URLs that it cannot read, and they may hold secrets.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    sender = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    sender.add(url)
    return sender
