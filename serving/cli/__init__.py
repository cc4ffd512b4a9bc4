"""The command line, one file a group of commands. Heavy things are imported inside commands."""

from __future__ import annotations

from serving.cli import answers, data, judging, learning, people, playbooks, rules, running
from serving.cli.app import app

__all__ = [
    "answers",
    "app",
    "data",
    "judging",
    "learning",
    "people",
    "playbooks",
    "rules",
    "running",
]
