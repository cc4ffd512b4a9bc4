"""Text messages by Twilio.

Source: Twilio documentation, "Message resource", "Create a Message".
"""

from __future__ import annotations

from pydantic import Field

from pipeline.config import reveal
from serving.notify.channel import Delivery
from serving.notify.channels.base import Base, Secret, Url
from serving.notify.channels.http import call
from serving.notify.message import short
from serving.notify.notice import Notice

__all__ = ["Sms"]


class Sms(Base):
    """One text message to one telephone; who wants two telephones names two channels.

    Parameters
    ----------
    account : str
        Account SID.
    auth_token : Secret
    sender, to : str
        Telephone numbers as E.164, such as ``+14155550100``, or for the sender the SID of a
        messaging service.
    url : str
    """

    account: str = Field(pattern=r"^(AC[0-9a-fA-F]{32}|\$\{\w+\})$")
    auth_token: Secret
    sender: str = Field(pattern=r"^(\+[0-9]{5,15}|MG[0-9a-fA-F]{32})$")
    to: str = Field(pattern=r"^\+[0-9]{5,15}$")
    url: Url = "https://api.twilio.com"

    def deliver(self, notice: Notice) -> Delivery:
        """Send the short form; Twilio knows no dedup key, so a repeat is a second message."""
        account = reveal(self.account)
        sender = "MessagingServiceSid" if self.sender.startswith("MG") else "From"
        form = {sender: self.sender, "To": self.to, "Body": short(notice, self._around.pages)}
        url = f"{self.url}/2010-04-01/Accounts/{account}/Messages.json"
        auth = (account, reveal(self.auth_token))
        return call("POST", url, form=form, auth=auth, hide=[*self.secrets(), self.to]).delivery
