"""The pages: one HTML file, one style sheet and ES modules, as they lie in `static/`; no data.

What they show comes from the API with the session's own rights, so the files themselves are public.
Their addresses carry a hash of all of them: a browser keeps them for good, and a new version is a
new address.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from serving.api.problems import ProblemError

__all__ = ["PAGES", "STATIC", "router"]

STATIC = Path(__file__).parent / "static"
PAGES = (
    "/",
    "/overview/{board}",
    "/alerts",
    "/alerts/{alert}",
    "/incidents",
    "/incidents/{incident}",
    "/explorer",
    "/silences",
    "/rules",
    "/coverage",
    "/models",
    "/approve/{token}",
)
"""Addresses that people open; `static/main.js` knows which module shows each."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
FOREVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


class _Files(NamedTuple):
    version: str
    page: bytes
    parts: dict[str, tuple[bytes, str]]


def _read() -> _Files:
    parts = {
        file.relative_to(STATIC).as_posix(): (file.read_bytes(), KINDS[file.suffix])
        for file in sorted(STATIC.rglob("*"))
        if file.suffix in KINDS
    }
    page = (STATIC / "index.html").read_bytes()
    whole = hashlib.sha256(page)
    for name, (content, _) in parts.items():
        whole.update(name.encode() + content)
    version = whole.hexdigest()[:16]
    return _Files(version, page.replace(b"{version}", version.encode()), parts)


# Read once: nothing that a request says ever names a file.
_FILES = _read()


async def page(request: Request) -> Response:
    """The page, whichever is asked for; its module is chosen in the browser."""
    return _page(request, 200)


def _page(request: Request, status: int) -> Response:
    tag = f'"{_FILES.version}"'
    headers = {"content-security-policy": POLICY, "etag": tag, "cache-control": "no-cache"}
    if status == 200 and tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    kind = "text/html; charset=utf-8"
    return Response(_FILES.page, status_code=status, headers=headers, media_type=kind)


for _path in PAGES:
    router.add_api_route(_path, page, methods=["GET"])


@router.get("/{lost}")
async def lost(request: Request, lost: str) -> Response:
    """Where nothing is: a person is told so on a page, with the way back."""
    if "text/html" not in request.headers.get("accept", ""):
        raise ProblemError(404, "Not found", f"nothing is at /{lost}")
    return _page(request, 404)


@router.get("/static/{version}/{name:path}")
async def static(version: str, name: str) -> Response:
    """One file of the version that is served."""
    if version != _FILES.version or name not in _FILES.parts:
        raise ProblemError(404, "Not found", "no such file in the version that is served")
    content, kind = _FILES.parts[name]
    return Response(content, headers={"cache-control": FOREVER}, media_type=kind)
