"""The command line, one file a group of commands. Heavy things are imported inside commands."""

from __future__ import annotations

from serving.cli import data, judging, learning, people, running
from serving.cli.app import app

__all__ = ["app", "data", "judging", "learning", "people", "running"]
