"""Lines of access logs become events: one parser a format, each over a whole column of lines."""

from __future__ import annotations

from pipeline.sources.parsers.auth import parse_auth
from pipeline.sources.parsers.combined import parse_combined
from pipeline.sources.parsers.ecs import ECS, JsonLines
from pipeline.sources.parsers.parsed import Parser

__all__ = ["ECS", "JsonLines", "Parser", "parse_auth", "parse_combined"]
