"""PagerDuty, Events API v2.

Source: PagerDuty developer documentation, "Events API v2", "Send an alert event".
"""

from __future__ import annotations

from typing import Any

from pipeline.config import reveal
from serving.notify.channel import Delivery
from serving.notify.channels.base import Base, Secret, Url
from serving.notify.channels.http import call
from serving.notify.message import cut, facts, headline, link, plain
from serving.notify.notice import Notice

__all__ = ["PagerDuty"]

SUMMARY_LONGEST, KEY_LONGEST, FACT_LONGEST = 1024, 255, 2_000
SEVERITY = {"info": "info", "low": "info", "medium": "warning", "high": "error"}


class PagerDuty(Base):
    """Opens, acknowledges and resolves one PagerDuty incident for each of ours.

    A notice of a playbook is a PagerDuty incident of its own, which people resolve there.

    Parameters
    ----------
    routing_key : Secret
        Integration key of the service.
    url : str
        ``https://events.eu.pagerduty.com`` for the European region.
    """

    routing_key: Secret
    url: Url = "https://events.pagerduty.com"

    def deliver(self, notice: Notice) -> Delivery:
        """Send one event; PagerDuty keeps one incident for a key, however often it comes."""
        own = notice.action == "notice" or not notice.incident
        key = cut(notice.dedup_key, KEY_LONGEST) if own else notice.incident
        sent = self._event("trigger" if notice.action == "notice" else notice.action, key, notice)
        if sent.outcome == "sent" and notice.detail.get("test"):
            return self._event("resolve", key, notice)
        return sent

    def _event(self, action: str, key: str, notice: Notice) -> Delivery:
        event: dict[str, Any] = {
            "routing_key": reveal(self.routing_key),
            "event_action": action,
            "dedup_key": key,
        }
        if action == "trigger":
            where = link(notice, self._around.pages)
            told = {word: cut(line, FACT_LONGEST) for word, line in facts(notice)}
            event |= {
                "payload": {
                    "summary": headline(notice, SUMMARY_LONGEST),
                    "source": plain(str(notice.detail.get("entity", ""))) or "tocsin",
                    "severity": SEVERITY.get(notice.severity, "critical"),
                    "timestamp": notice.since.isoformat(),
                    "custom_details": told,
                },
                "client": "Tocsin",
                "client_url": where,
                "links": [{"href": where, "text": "Open in Tocsin"}],
            }
        return call("POST", f"{self.url}/v2/enqueue", json=event, hide=self.secrets()).delivery
