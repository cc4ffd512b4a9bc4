"""The lines of README.md that call the API, run as they stand against a house that runs."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import httpx

from tests.serving.uprunning import PATIENCE_S, ROOT, tocsin

LINES = re.compile(r"<!-- curl -->\n```sh\n(.*?)```", re.DOTALL)
CONFIG = """\
home: house
serving: {port: 0}
sources:
  - {kind: push, name: hosts, stream: host}
"""


def test_the_curl_lines_of_the_readme_do_what_they_say(tmp_path: Path) -> None:
    blocks = LINES.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert blocks
    (tmp_path / "tocsin.yaml").write_text(CONFIG)
    with tocsin("up", folder=tmp_path) as running:
        end = time.monotonic() + PATIENCE_S
        while httpx.get(f"{running.url}/readyz", timeout=PATIENCE_S).status_code != 200:
            assert time.monotonic() < end
        environment = {**os.environ, "TOCSIN_KEY": running.key}
        for block in blocks:
            commands = block.replace("http://localhost:8787", running.url)
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", commands],
                env=environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
            )
            assert done.returncode == 0, done.stderr
            assert '"status"' not in done.stdout, done.stdout
            assert done.stdout.strip()
