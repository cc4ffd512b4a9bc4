"""Any other program, by a signed POST.

The signature is an HMAC-SHA256 over ``<timestamp>.<body>``, as Stripe signs: an old message cannot
be played again. Alertmanager's payload is that of its webhook receiver,
version 4 (Prometheus documentation, "Configuration", ``webhook_config``).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Literal

import orjson

from pipeline.config import reveal
from serving.notify.channel import Delivery
from serving.notify.channels.base import Base, Secret, Url
from serving.notify.channels.http import call
from serving.notify.message import facts, headline, link
from serving.notify.notice import Notice

__all__ = ["Webhook", "signature"]

OPEN_END = "0001-01-01T00:00:00Z"


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """What the header ``X-Tocsin-Signature`` holds.

    >>> signature("k", 1, b"{}")
    'v1=3dd49b2593d0f9a349e9e71c4bde3e2b862c2be4003fe9b4ba81332029310158'
    """
    signed = str(timestamp).encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class Webhook(Base):
    """Posts what is told, as JSON.

    ``Idempotency-Key`` is the dedup key: a message may come twice, the key says that it is one.

    Parameters
    ----------
    url : str
    secret : Secret
        Both sides know it.
    payload : {"tocsin", "alertmanager"}
    """

    url: Url
    secret: Secret
    payload: Literal["tocsin", "alertmanager"] = "tocsin"

    def deliver(self, notice: Notice) -> Delivery:
        """Post one message."""
        shape = self.alertmanager if self.payload == "alertmanager" else self.tocsin
        body = orjson.dumps(shape(notice))
        timestamp = int(self._around.clock().timestamp())
        headers = {
            "content-type": "application/json",
            "idempotency-key": hashlib.sha256(notice.dedup_key.encode()).hexdigest(),
            "x-tocsin-timestamp": str(timestamp),
            "x-tocsin-signature": signature(reveal(self.secret), timestamp, body),
        }
        return call("POST", self.url, content=body, headers=headers, hide=self.secrets()).delivery

    def tocsin(self, notice: Notice) -> dict[str, Any]:
        """All there is, and the link."""
        fields = notice.payload()
        for name in ("due_at", "unless_acknowledged", "channel"):
            del fields[name]
        return {"version": "1", **fields, "link": link(notice, self._around.pages)}

    def alertmanager(self, notice: Notice) -> dict[str, Any]:
        """The incident as one alert of Alertmanager, the same from its beginning to its end."""
        over = notice.action == "resolve"
        status = "resolved" if over else "firing"
        key = notice.incident or notice.dedup_key
        where = link(notice, self._around.pages)
        labels = {"alertname": "TocsinIncident", "incident": key, "severity": notice.severity}
        told = {word.lower().replace(" ", "_"): line for word, line in facts(notice)}
        notes = {"summary": headline(notice), "description": notice.why, **told}
        alert = {
            "status": status,
            "labels": labels,
            "annotations": notes,
            "startsAt": notice.since.isoformat(),
            "endsAt": self._around.clock().isoformat() if over else OPEN_END,
            "generatorURL": where,
            "fingerprint": hashlib.sha256(key.encode()).hexdigest()[:16],
        }
        return {
            "version": "4",
            "groupKey": f'{{}}:{{incident="{key}"}}',
            "truncatedAlerts": 0,
            "status": status,
            "receiver": self.name,
            "groupLabels": {"incident": key},
            "commonLabels": labels,
            "commonAnnotations": notes,
            "externalURL": self._around.pages,
            "alerts": [alert],
        }
