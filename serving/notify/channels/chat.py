"""Chat rooms: incoming webhooks of Slack, and of Microsoft Teams by its Workflows app.

Sources: Slack developer documentation, "Sending messages using incoming webhooks" and "Block Kit";
Microsoft documentation, "Create incoming webhooks with Workflows for Microsoft Teams", and Adaptive
Cards 1.4.
"""

from __future__ import annotations

from typing import Any

from pipeline.config import reveal
from serving.notify.channel import Delivery
from serving.notify.channels.base import Base, Secret
from serving.notify.channels.http import call
from serving.notify.message import cut, facts, headline, link
from serving.notify.notice import Notice

__all__ = ["Slack", "Teams"]

HEADER_LONGEST, SECTION_LONGEST, FACT_LONGEST = 150, 3_000, 400


class Slack(Base):
    """A message with blocks.

    Parameters
    ----------
    webhook : Secret
        The address that Slack gave; who has it may write.
    """

    webhook: Secret

    def deliver(self, notice: Notice) -> Delivery:
        """Post one message."""
        url = reveal(self.webhook)
        return call("POST", url, json=self.payload(notice), hide=self.secrets()).delivery

    def payload(self, notice: Notice) -> dict[str, Any]:
        """The message as Slack takes it."""
        lines = [f"*{word}*  {_slack(cut(line, FACT_LONGEST))}" for word, line in facts(notice)]
        head = {"type": "plain_text", "text": headline(notice, HEADER_LONGEST)}
        button = {
            "type": "button",
            "text": {"type": "plain_text", "text": "Open in Tocsin"},
            "url": link(notice, self._around.pages),
        }
        said = {"type": "mrkdwn", "text": cut("\n".join(lines), SECTION_LONGEST)}
        return {
            # Shown where blocks are not: in the notification on a phone.
            "text": _slack(headline(notice)),
            "blocks": [
                {"type": "header", "text": head},
                {"type": "section", "text": said},
                {"type": "actions", "elements": [button]},
            ],
        }


class Teams(Base):
    """A message with an adaptive card.

    Parameters
    ----------
    webhook : Secret
        The address that Workflows gave; who has it may write.
    """

    webhook: Secret

    def deliver(self, notice: Notice) -> Delivery:
        """Post one message."""
        url = reveal(self.webhook)
        return call("POST", url, json=self.payload(notice), hide=self.secrets()).delivery

    def payload(self, notice: Notice) -> dict[str, Any]:
        """The message as Teams takes it."""
        known = [
            {"title": word, "value": _markdown(cut(line, FACT_LONGEST))}
            for word, line in facts(notice)
        ]
        head = {
            "type": "TextBlock",
            "text": _markdown(headline(notice)),
            "weight": "Bolder",
            "size": "Medium",
            "wrap": True,
        }
        where = link(notice, self._around.pages)
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [head, {"type": "FactSet", "facts": known}],
            "actions": [{"type": "Action.OpenUrl", "title": "Open in Tocsin", "url": where}],
        }
        kind = "application/vnd.microsoft.card.adaptive"
        held = {"contentType": kind, "contentUrl": None, "content": card}
        return {"type": "message", "attachments": [held]}


def _slack(text: str) -> str:
    """Slack's three special characters: `<!channel>` in a name must wake nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _markdown(text: str) -> str:
    """Cards read links and emphasis in text; names of entities may hold none."""
    return "".join(f"\\{c}" if c in "\\[]()*_`<>" else c for c in text)
