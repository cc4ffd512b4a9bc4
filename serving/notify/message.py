"""What people read: the same facts as one line, as a text message, as plain text, as HTML.

Written for someone who was asleep: what, where, how bad, how rare, since when, who saw it, the
first step and the link. Names of entities come from outside: they are made plain first.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from serving.notify.notice import Notice

__all__ = ["SMS_LONGEST", "brief", "cut", "facts", "headline", "link", "page", "plain", "short"]

SMS_LONGEST = 300
"""Two parts of a long text message; a third is a telephone that buzzes on."""
HEAD_LONGEST, STEP_LONGEST = 110, 80
MOST_NAMES = 5
ADDRESS = re.compile(r"\b(0x[0-9a-f]{4})[0-9a-f]{32,56}([0-9a-f]{4})\b", re.IGNORECASE)
WORDS = {"acknowledge": "ACKNOWLEDGED", "resolve": "RESOLVED"}


def plain(text: str) -> str:
    """A text on one line, without control characters.

    >>> plain(" a\\r\\nBcc: x\\x00 ")
    'a Bcc: x'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def cut(text: str, most: int) -> str:
    """At most so many characters; what is cut off is marked.

    >>> cut("memory is full", 9)
    'memory...'
    """
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."


def headline(notice: Notice, most: int = 200) -> str:
    """How bad and what, on one line."""
    word = WORDS.get(notice.action, notice.severity.upper())
    test = "TEST, nothing is wrong: " if notice.detail.get("test") else ""
    return cut(f"{test}{word}: {brief(plain(notice.title))}", most)


def brief(text: str) -> str:
    """A text with the addresses of a chain as short as people say them.

    >>> brief("drained: 0x44191001486f419d08bfe950f43ad9e30f0c246c")
    'drained: 0x4419..246c'
    """
    return ADDRESS.sub(r"\1..\2", text)


def link(notice: Notice, pages: str) -> str:
    """Where to look."""
    return f"{pages}/incidents/{notice.incident}" if notice.incident else f"{pages}/alerts"


def facts(notice: Notice) -> Iterator[tuple[str, str]]:
    """What is known, as pairs of a word and a line; what is empty is left out."""
    found = {
        "Why": notice.why,
        "Where": _where(notice),
        "How bad": _how_bad(notice),
        "How rare": notice.rarity and f"normal life brings this {notice.rarity}",
        "Since": f"{notice.since:%Y-%m-%d %H:%M UTC}",
        "Seen by": ", ".join(_arm(arm) for arm in notice.arms),
        "For": str(notice.detail.get("audience", "")),
        "Playbook": str(notice.detail.get("playbook", "")).replace("_", " "),
        "Unanswered": _unanswered(notice),
        "Told here, not by": str(notice.detail.get("instead_of", "")),
        "First step": notice.first_step,
    }
    for word, text in found.items():
        if line := plain(text):
            yield word, line


def short(notice: Notice, pages: str) -> str:
    """A text message of at most 300 characters: the reason is cut first, the link never."""
    where = link(notice, pages)
    room = SMS_LONGEST - len(where) - 1
    head = _ended(headline(notice, min(room, HEAD_LONGEST)))
    rest = f"Since {notice.since:%H:%M UTC}."
    if step := brief(plain(notice.first_step)):
        rest += f" First: {_ended(cut(step, STEP_LONGEST))}"
    why = brief(plain(notice.why))
    why = _ended(cut(why, max(room - len(head) - len(rest) - 3, len("...")))) if why else ""
    return f"{cut(' '.join(part for part in (head, why, rest) if part), room)} {where}"


def _ended(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def page(notice: Notice, pages: str) -> tuple[str, str]:
    """Plain text and HTML of an e-mail or a ticket."""
    head, where = headline(notice), link(notice, pages)
    pairs = [*facts(notice), ("Open", where)]
    wide = max(len(word) for word, _ in pairs) + 2
    text = "\n".join([head, "", *(f"{word + ':':{wide}}{line}" for word, line in pairs), ""])
    cell = "padding:4px 12px 4px 0;vertical-align:top"
    rows = "".join(
        f'<tr><th style="{cell};text-align:left">{html.escape(word)}</th>'
        f'<td style="{cell}">{_cell(word, line)}</td></tr>\n'
        for word, line in pairs
    )
    body = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(head)}</title></head>\n"
        '<body style="font:16px/1.5 sans-serif">\n'
        f'<h1 style="font-size:20px">{html.escape(head)}</h1>\n<table>\n{rows}</table>\n'
        "</body></html>\n"
    )
    return text, body


def _cell(word: str, line: str) -> str:
    safe = html.escape(line)
    return f'<a href="{safe}">{safe}</a>' if word == "Open" else safe


def _where(notice: Notice) -> str:
    first = [str(notice.detail["entity"])] if notice.detail.get("entity") else []
    names = list(dict.fromkeys([*first, *map(str, notice.detail.get("entities", []))]))
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _how_bad(notice: Notice) -> str:
    risk = notice.detail.get("risk")
    return notice.severity if risk is None else f"{notice.severity}, risk {risk} of 100"


def _unanswered(notice: Notice) -> str:
    times = notice.detail.get("again", 0)
    return f"told {times} times before, nobody has acknowledged it" if times else ""


def _arm(name: str) -> str:
    kind, _, rule = name.partition(":")
    return f"{kind} {rule}" if rule else kind.replace("_", " ")
