"""The public status page, Atlassian Statuspage.

What stands there is read by everybody, attackers too: never a name, a reason or a score, only the
words of the configuration and those of a playbook that people wrote.

Source: Statuspage API documentation (developer.statuspage.io), incidents.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from pipeline.config import reveal
from serving.notify.channel import Delivery
from serving.notify.channels.base import Base, Secret, Url
from serving.notify.channels.http import Answer, call
from serving.notify.message import cut, plain
from serving.notify.notice import Action, Notice

__all__ = ["StatusPage"]

IMPACT = {"info": "none", "low": "none", "medium": "minor", "high": "major"}
BODY_LONGEST = 2_000


class StatusPage(Base):
    """One public incident for each of ours, found again by its metadata.

    An acknowledgement is nobody's business outside, and is not told.

    Parameters
    ----------
    page : str
        Id of the page.
    api_key : Secret
    title, opened, closed : str
        What the public reads.
    components : tuple of str
        Ids of what is shown as affected.
    subscribers : bool
        Whether they get a message.
    url : str
    """

    actions: ClassVar[frozenset[Action]] = frozenset({"trigger", "resolve", "notice"})

    page: str = Field(pattern=r"^[a-z0-9]+$")
    api_key: Secret
    title: str = "Service disruption"
    opened: str = "We are investigating a problem. Updates follow here."
    closed: str = "The problem is over."
    components: tuple[str, ...] = ()
    subscribers: bool = True
    url: Url = "https://api.statuspage.io"

    def deliver(self, notice: Notice) -> Delivery:
        """Open an incident, update it, or close it; what is as it should be stays."""
        found = self._call("GET", "/incidents/unresolved")
        if not found.ok or notice.detail.get("test"):
            # A test shows that the page and the key are right, and publishes nothing.
            return found.delivery
        mine = [one for one in found.body or [] if _incident(one) == notice.incident]
        status, said = self._said(notice)
        if not mine:
            if status == "resolved":
                return Delivery("sent", "nothing is open on the page")
            return self._call("POST", "/incidents", json=self.incident(notice)).delivery
        newest: dict[str, Any] = next(iter(mine[0].get("incident_updates") or []), {})
        same = (newest.get("status"), newest.get("body")) == (status, said)
        if same or notice.action == "trigger":
            return Delivery("sent", "the page says so already")
        update = {"status": status, "body": said, "deliver_notifications": self.subscribers}
        path = f"/incidents/{mine[0]['id']}"
        return self._call("PATCH", path, json={"incident": update}).delivery

    def incident(self, notice: Notice) -> dict[str, Any]:
        """The incident as Statuspage takes it."""
        status, said = self._said(notice)
        return {
            "incident": {
                "name": self.title,
                "status": status,
                "body": said,
                "impact_override": IMPACT.get(notice.severity, "critical"),
                "component_ids": self.components,
                "deliver_notifications": self.subscribers,
                "metadata": {"tocsin": {"incident": notice.incident}},
            }
        }

    def _said(self, notice: Notice) -> tuple[str, str]:
        if notice.action == "notice":
            status = str(notice.detail.get("status", "investigating"))
            return status, cut(plain(notice.why), BODY_LONGEST)
        over = notice.action == "resolve"
        return ("resolved", self.closed) if over else ("investigating", self.opened)

    def _call(self, method: Literal["GET", "POST", "PATCH"], path: str, json: Any = None) -> Answer:
        headers = {"authorization": f"OAuth {reveal(self.api_key)}"}
        url = f"{self.url}/v1/pages/{self.page}{path}"
        return call(method, url, json=json, headers=headers, hide=self.secrets())


def _incident(given: dict[str, Any]) -> str | None:
    return ((given.get("metadata") or {}).get("tocsin") or {}).get("incident")
