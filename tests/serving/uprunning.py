"""`tocsin up` as a process of its own, in a directory of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300.0


@dataclass
class Running:
    """A house that runs: where it answers, its first key, what it said."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    listening: threading.Event = field(default_factory=threading.Event)

    def said(self, pattern: str) -> str:
        """What a line says at the place of the pattern's group."""
        return next(found[1] for line in self.lines if (found := re.search(pattern, line)))

    @property
    def url(self) -> str:
        return self.said(r"listening on (\S+)")

    @property
    def key(self) -> str:
        return self.said(r"(toc_\S+)")

    def http(self) -> httpx.Client:
        """A client that holds the first key."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S)

    def read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line.rstrip())
            if "listening on" in line or "the stream runs" in line:
                self.listening.set()
        self.listening.set()


@contextmanager
def tocsin(*command: str, folder: Path) -> Iterator[Running]:
    """A command of the house until the block ends; then it is told to stop, and must."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tocsin.py"), *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Running(process)
    reader = threading.Thread(target=running.read)
    reader.start()
    try:
        assert running.listening.wait(PATIENCE_S), running.lines
        assert process.poll() is None, running.lines
        yield running
    finally:
        process.terminate()
        code = process.wait(PATIENCE_S)
        reader.join()
        if process.stdout:
            process.stdout.close()
    assert code == 0, running.lines
