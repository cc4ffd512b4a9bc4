"""E-mail by SMTP (RFC 5321); messages of one incident are one thread (RFC 5322, References)."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.config import reveal
from serving.notify.channel import Delivery
from serving.notify.channels.base import Base, Secret, redact
from serving.notify.message import cut, headline, page
from serving.notify.notice import Notice

__all__ = ["Email"]

TIMEOUT_S = 10.0
SUBJECT_LONGEST, TOLD_LONGEST = 150, 200


def _mailbox(text: str) -> str:
    if not text.isprintable() or "@" not in parseaddr(text)[1]:
        raise ValueError("expected an e-mail address")
    return text


Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Email(Base):
    """Plain text and HTML to some people.

    Parameters
    ----------
    host, port : str, int
    security : {"starttls", "tls", "none"}
        ``starttls`` insists on it; ``none`` is for a relay on this machine.
    user, password : str, Secret
        Where the server wants them.
    sender, to : str, list of str
    """

    host: str
    port: int = Field(587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: Secret | None = None
    sender: Mailbox
    to: list[Mailbox] = Field(min_length=1, max_length=50)

    def deliver(self, notice: Notice) -> Delivery:
        """Hand one message to the server; it has its own patience after that."""
        try:
            refused = self._hand_over(self.message(notice))
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            passing = any(400 <= code < 500 for code in codes)
            return Delivery("retry" if passing else "refused", f"{self.host}: nobody was accepted")
        except smtplib.SMTPResponseException as error:
            said = redact(f"{error.smtp_code} {error.smtp_error!r}", self.secrets())
            outcome: Literal["retry", "refused"] = "refused" if error.smtp_code >= 500 else "retry"
            return Delivery(outcome, cut(f"{self.host} answered {said}", TOLD_LONGEST))
        except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as error:
            return Delivery("refused", f"{self.host}: {type(error).__name__}")
        except (smtplib.SMTPException, OSError) as error:
            return Delivery("retry", f"{self.host}: {type(error).__name__}")
        done = len(self.to) - len(refused)
        return Delivery("sent", f"{self.host} took it for {done} of {len(self.to)}")

    def message(self, notice: Notice) -> EmailMessage:
        """The message; its id is of the dedup key, so that a repeat can be seen as one."""
        text, html = page(notice, self._around.pages)
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = ", ".join(self.to)
        message["Subject"] = headline(notice, SUBJECT_LONGEST)
        message["Date"] = format_datetime(self._around.clock())
        message["Message-ID"] = _id(notice.dedup_key)
        message["References"] = _id(notice.incident or notice.dedup_key)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        message.add_alternative(html, subtype="html")
        return message

    def _hand_over(self, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
        trusted = ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT_S, context=trusted
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
        with server:
            if self.security == "starttls":
                server.starttls(context=trusted)
            if self.password is not None:
                server.login(self.user, reveal(self.password))
            return server.send_message(message)


def _id(key: str) -> str:
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@tocsin>"
