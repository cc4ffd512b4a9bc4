"""The files of the pages, as a browser is given them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import httpx
import pytest
from fastapi import FastAPI

from serving.api import problems
from serving.web import PAGES, STATIC, router


class Client:
    """Asks the pages' router alone."""

    def __init__(self) -> None:
        self._app = FastAPI(redirect_slashes=False)
        self._app.include_router(router)
        problems.install(self._app)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return asyncio.run(self._get(path, headers))

    async def _get(self, path: str, headers: Mapping[str, str] | None) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            return await http.get(path, headers=headers)


@pytest.fixture(scope="module")
def client() -> Client:
    return Client()


@pytest.mark.parametrize("path", PAGES)
def test_every_address_is_the_page_under_a_strict_policy(client: Client, path: str) -> None:
    answer = client.get(re.sub(r"\{\w+\}", "x", path))
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert answer.status_code == 200
    assert policy["default-src"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "connect")} == {"'self'"}
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_page_is_asked_for_again_and_its_files_never(client: Client) -> None:
    page = client.get("/")
    tag = page.headers["etag"]
    assert client.get("/alerts", headers={"if-none-match": tag}).status_code == 304
    assert client.get("/alerts", headers={"if-none-match": '"old"'}).status_code == 200
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert len(files) == 4
    for file in files:
        answer = client.get(file)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_where_nothing_is_people_get_a_page_and_programs_a_problem(client: Client) -> None:
    page = client.get("/nowhere", headers={"accept": "text/html,*/*"})
    assert (page.status_code, page.text) == (404, client.get("/").text)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    answer = client.get("/nowhere", headers={"accept": "application/json"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_only_files_of_this_version_are_served(client: Client) -> None:
    version = client.get("/").headers["etag"].strip('"')
    for path in (
        "/static/old/main.js",
        f"/static/{version}/index.html",
        f"/static/{version}/../__init__.py",
        f"/static/{version}/%2e%2e/__init__.py",
        f"/static/{version}/pages/..%2fmain.js",
        f"/static/{version}//etc/passwd",
    ):
        assert client.get(path).status_code == 404, path


def test_every_module_that_is_imported_is_there(client: Client) -> None:
    for file in STATIC.rglob("*.js"):
        for name in re.findall(r'from "(\.[^"]+)"', file.read_text(encoding="utf-8")):
            assert (file.parent / name).resolve().is_file(), (file, name)
    routed = re.findall(r'/, "(\w+)"\]', (STATIC / "main.js").read_text(encoding="utf-8"))
    assert {file.stem for file in (STATIC / "pages").glob("*.js")} == set(routed)
    assert len(routed) == len(PAGES)


def test_nothing_makes_markup_of_text_and_nothing_is_inline() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function"
        r"|srcdoc|javascript:"
    )
    for file in STATIC.rglob("*.js"):
        assert not forbidden.search(file.read_text(encoding="utf-8")), file
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page)


def test_no_file_is_long_or_has_a_picture_for_a_word() -> None:
    for file in STATIC.rglob("*.*"):
        text = file.read_text(encoding="utf-8")
        assert text.count("\n") <= 300, file
        assert not re.search("[\U0001f000-\U0001faff\u2600-\u26ff]", text), file
