"""Tickets in Jira: one for each incident, found again by its label.

Source: Atlassian documentation, "The Jira Cloud platform REST API", issues, comments, transitions
and search. Version 2 takes plain text where version 3 wants a document.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import Field

from pipeline.config import reveal
from serving.notify.channel import Delivery
from serving.notify.channels.base import Base, Secret, Url
from serving.notify.channels.http import Answer, call
from serving.notify.message import headline, page
from serving.notify.notice import Notice

__all__ = ["Ticket"]

SUMMARY_LONGEST = 255


class Ticket(Base):
    """Creates a ticket, comments on it, and closes it by a transition.

    Parameters
    ----------
    url : str
        Such as ``https://example.atlassian.net``.
    user : str
        E-mail address of the account; empty where the token stands alone (Data Center).
    token : Secret
    project, issue_type : str
        Key and name.
    resolve_by : str
        Id of the transition of an incident that is over; empty for a comment only.
    search : str
        ``/rest/api/2/search`` for Data Center.
    """

    url: Url
    user: str = ""
    token: Secret
    project: str = Field(pattern=r"^[A-Z][A-Z0-9_]+$")
    issue_type: str = "Task"
    resolve_by: str = Field("", pattern=r"^[0-9]*$")
    search: str = "/rest/api/3/search/jql"

    def deliver(self, notice: Notice) -> Delivery:
        """Create the incident's ticket, or say in it what is new."""
        label = _label(notice)
        found = self._call("GET", self.search, query=self._query(label))
        if not found.ok:
            return found.delivery
        issues = (found.body or {}).get("issues") or []
        if issues:
            return self._tell(str(issues[0]["key"]), notice)
        if notice.action in ("acknowledge", "resolve"):
            return Delivery("sent", "there is no ticket to say it in")
        return self._call("POST", "/rest/api/2/issue", json=self.issue(notice)).delivery

    def issue(self, notice: Notice) -> dict[str, Any]:
        """The ticket as Jira takes it."""
        return {
            "fields": {
                "project": {"key": self.project},
                "issuetype": {"name": self.issue_type},
                "summary": headline(notice, SUMMARY_LONGEST),
                "description": self._text(notice),
                "labels": ["tocsin", _label(notice)],
            }
        }

    def _tell(self, key: str, notice: Notice) -> Delivery:
        if notice.action == "resolve" and self.resolve_by:
            move = {"transition": {"id": self.resolve_by}}
            moved = self._call("POST", f"/rest/api/2/issue/{key}/transitions", json=move)
            # Refused where a person has closed it before: then there is only the comment to make.
            if moved.delivery.outcome == "retry":
                return moved.delivery
        said = {"body": self._text(notice)}
        return self._call("POST", f"/rest/api/2/issue/{key}/comment", json=said).delivery

    def _text(self, notice: Notice) -> str:
        # Without its markup: names of entities may hold links or mention people.
        text = page(notice, self._around.pages)[0].replace("{", "(").replace("}", ")")
        return f"{{noformat}}\n{text}{{noformat}}\n{text.split()[-1]}"

    def _query(self, label: str) -> dict[str, str]:
        jql = f'project = "{self.project}" AND labels = "{label}" ORDER BY created ASC'
        return {"jql": jql, "fields": "status", "maxResults": "1"}

    def _call(self, method: str, path: str, **what: Any) -> Answer:
        token = reveal(self.token)
        if self.user:
            what["auth"] = (self.user, token)
        else:
            what["headers"] = {"authorization": f"Bearer {token}"}
        return call(method, f"{self.url}{path}", hide=self.secrets(), **what)


def _label(notice: Notice) -> str:
    """What a ticket is found by; a notice of a playbook has a ticket of its own."""
    own = notice.action == "notice" or not notice.incident
    key = hashlib.sha256(notice.dedup_key.encode()).hexdigest()[:32] if own else notice.incident
    return f"tocsin-{key}"
