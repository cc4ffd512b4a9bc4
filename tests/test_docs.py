"""The docs keep up with the code: what is public is named, what is named exists."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("features", "models", "pipeline", "serving")
KINDS = ("CHANGE", "FEATURE", "ENHANCEMENT", "BUGFIX")


def pages(root: Path) -> dict[str, str]:
    """Path and text of every page of the project."""
    files = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("data/*.md")]
    return {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in files}


def code(text: str) -> list[str]:
    """What stands in fenced blocks and code spans, a line each, without the prompt."""
    fence = re.compile(r"^( *)(```+).*?\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
    blocks = "\n".join(block[3] for block in fence.finditer(text))
    spans = re.findall(r"`([^`]+)`", fence.sub("", text))
    return [re.sub(r"^\s*(\$ )?", "", line) for line in [*blocks.splitlines(), *spans]]


def public_names(root: Path) -> Iterator[tuple[str, str]]:
    """Module and name of everything in an `__all__`."""
    for file in sorted(file for floor in FLOORS for file in (root / floor).rglob("*.py")):
        if "migrations" in file.parts:
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", 0)]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                for item in ast.walk(node):
                    if isinstance(item, ast.Constant) and isinstance(item.value, str):
                        yield file.relative_to(root).as_posix(), item.value


def commands(root: Path) -> set[str]:
    """Names of the commands of the front door: `@app.command()`, `group.add_typer(app, name=)`."""
    found = set()
    for file in [root / "tocsin.py", *sorted((root / "serving" / "cli").glob("*.py"))]:
        found |= _commands(ast.parse(file.read_text(encoding="utf-8")))
    return found


def _commands(tree: ast.Module) -> set[str]:
    groups: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".add_typer"):
            name = next(word.value for word in node.keywords if word.arg == "name")
            groups[ast.unparse(node.args[0])] = f"{ast.literal_eval(name)} "
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".command"):
                app = ast.unparse(call.func).removesuffix(".command")
                given = [*call.args, *(word.value for word in call.keywords if word.arg == "name")]
                own = ast.literal_eval(given[0]) if given else node.name.replace("_", "-")
                found.add(groups.get(app, "") + own)
    return found


def targets(root: Path) -> set[str]:
    """Names of the targets of the Makefile."""
    return set(re.findall(r"(?m)^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8")))


def unnamed(root: Path) -> Iterator[str]:
    texts = pages(root)
    words = {
        word
        for path, text in texts.items()
        if path == "README.md" or path.startswith("docs/")
        for line in code(text)
        for word in re.findall(r"\w+", line)
    }
    for path, name in public_names(root):
        if name not in words:
            yield f"{path}: {name} is public and in no code of README.md or docs/"
    shown = "\n".join(code(texts["README.md"]))
    for command in sorted(commands(root)):
        if not re.search(rf"\btocsin {command}\b", shown):
            yield f"README.md: `tocsin {command}` is not named"


def invented(root: Path) -> Iterator[str]:
    known = {"tocsin": {word.split()[0] for word in commands(root)}, "make": targets(root)}
    for path, text in pages(root).items():
        for line in code(text):
            command = re.match(r"(?:\.venv/bin/)?(tocsin|make) ([a-z][a-z-]*)\b(?![=:/.])", line)
            if command and command[2] not in known[command[1]]:
                yield f"{path}: `{command[0]}` does not exist"
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if not re.match(r"\w+:", target) and not (root / path).parent.joinpath(target).exists():
                yield f"{path}: the link to {target} leads nowhere"


def misfiled(changelog: str) -> Iterator[str]:
    for line in changelog.splitlines():
        if line.startswith("## ") and not re.fullmatch(
            r"## \d+\.\d+\.\d+ \((unreleased|\d{4}-\d{2}-\d{2})\)", line
        ):
            yield f"CHANGELOG.md: expected `## version (date)`: {line}"
        if re.match(r"\s*[-*+] ", line) and not re.match(rf"- \[({'|'.join(KINDS)})\] \S", line):
            yield f"CHANGELOG.md: expected `- [KIND] text`: {line}"


def faults(root: Path) -> list[str]:
    """Everything that docs and code of the tree below `root` say differently."""
    return [*unnamed(root), *invented(root), *misfiled(pages(root)["CHANGELOG.md"])]


def test_docs_and_code_say_the_same() -> None:
    found = faults(ROOT)
    assert not found, "\n".join(found)


def test_the_pages_written_from_the_code_are_current() -> None:
    written = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]
    for page, write in written.items():
        stale = (ROOT / "docs" / page).read_text(encoding="utf-8") != write()
        assert not stale, f"docs/{page} is not what the code says now; run `make docs`"


def test_the_front_door_has_commands() -> None:
    assert commands(ROOT)


DOOR = """
@app.command()
def score(): ...

app.add_typer(export, name="export")

@export.command("cacao")
def to_cacao(): ...
"""
README = """
Run `tocsin score FILE` or

```console
$ make test
$ tocsin export cacao
```

`weight` is explained in [the docs](docs/x.md#top), elsewhere in [its home](mailto:a@b).
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "tocsin.py": DOOR,
        "Makefile": "test: x\n\tpytest\n",
        "README.md": README,
        "CHANGELOG.md": "# Changelog\n\n## 0.1.0 (unreleased)\n\n- [FEATURE] One\n  and more.\n",
        "docs/x.md": "```python\nfrom models.a import Heavy\n```\n",
        "models/a.py": '__all__ = ["Heavy", "weight"]\n',
        "models/b.py": "__all__: list[str] = []\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_good_tree_has_no_faults(tree: Path) -> None:
    assert commands(tree) == {"score", "export cacao"}
    assert faults(tree) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "complaint"),
    [
        ("models/a.py", "Heavy", "Heavier", "models/a.py: Heavier is public"),
        ("models/b.py", "[]", '["prose"]', "models/b.py: prose is public"),
        ("README.md", "`weight`", "prose weight", "models/a.py: weight is public"),
        ("tocsin.py", "def score", "def rescore", "README.md: `tocsin rescore` is not named"),
        ("README.md", "tocsin export", "tocsin import", "`tocsin import` does not exist"),
        ("README.md", "make test", "make tea", "README.md: `make tea` does not exist"),
        ("docs/x.md", "from", "make tea\nfrom", "docs/x.md: `make tea` does not exist"),
        ("README.md", "docs/x.md", "docs/y.md", "README.md: the link to docs/y.md leads nowhere"),
        ("CHANGELOG.md", "FEATURE", "NEWS", "expected `- [KIND] text`: - [NEWS] One"),
        ("CHANGELOG.md", "- [FEATURE]", "*", "expected `- [KIND] text`: * One"),
        ("CHANGELOG.md", "(unreleased)", "", "expected `## version (date)`"),
    ],
)
def test_a_difference_is_named(tree: Path, path: str, old: str, new: str, complaint: str) -> None:
    page = tree / path
    page.write_text(page.read_text().replace(old, new))
    found = faults(tree)
    assert any(complaint in line for line in found), found
