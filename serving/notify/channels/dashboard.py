"""The pages themselves: a notice is a row among the changes that every open page is sent."""

from __future__ import annotations

import sqlalchemy as sa

from serving.notify.channel import Delivery
from serving.notify.channels.base import Base
from serving.notify.message import facts, headline
from serving.notify.notice import Notice
from serving.store.tables import changes

__all__ = ["Dashboard"]


class Dashboard(Base):
    """Shows a notice on the pages; ``subject`` is the dedup key, by which a page knows a repeat."""

    def deliver(self, notice: Notice) -> Delivery:
        """Write one row."""
        shown = {
            "id": notice.dedup_key,
            "action": notice.action,
            "severity": notice.severity,
            "title": headline(notice),
            "facts": dict(facts(notice)),
            "incident": notice.incident,
            "alert": notice.alert,
        }
        row = {"kind": "notice", "subject": notice.dedup_key, "fields": shown}
        try:
            with self._around.engine.begin() as connection:
                connection.execute(changes.insert().values(at=self._around.clock(), **row))
        except sa.exc.DBAPIError as error:
            return Delivery("retry", f"the store: {type(error).__name__}")
        return Delivery("sent", "shown")
