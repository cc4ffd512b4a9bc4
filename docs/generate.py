"""Write docs/views.md and docs/reference.md from the code: run by `make docs`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from features.catalogue import STREAMS, VIEWS  # noqa: E402
from features.stream import Stream  # noqa: E402
from features.view import FeatureView  # noqa: E402

PACKAGES = ("features", "models", "pipeline", "serving")


def cell(text: str) -> str:
    """A text that fits into a cell of a Markdown table."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def stream_section(stream: Stream) -> str:
    """The columns of a stream as a table."""
    rows = [
        f"| `{c.name}` | {cell(c.doc)} | {c.unit} | {cell(c.expected)} | "
        f"{'yes' if c.required else 'no'} |"
        for c in stream.columns
    ]
    head = "| column | what | unit | takes | required |\n|---|---|---|---|---|"
    return f"## Stream `{stream.name}`\n\n" + "\n".join([head, *rows])


def view_section(views: list[FeatureView]) -> str:
    """The features that some views share as one table."""
    names = ", ".join(
        f"`{v.name}` (per {' and '.join(v.entity)}, {v.every.total_seconds():g} s)" for v in views
    )
    rows = [
        f"| `{f.name}` | {cell(f.definition)} | {f.unit} | {f.direction} | {cell(f.source)} |"
        for f in views[0].features
    ]
    head = "| feature | definition | unit | concern when | source |\n|---|---|---|---|---|"
    kept = f"Windows are kept {views[0].retention.days} days."
    return f"### {names}\n\n{kept}\n\n" + "\n".join([head, *rows])


def views_page() -> str:
    """Every stream with its views and their features."""
    parts = [
        "# Streams and views",
        "Written by `make docs` from the code; a test keeps it current.",
    ]
    for stream in STREAMS.values():
        parts.append(stream_section(stream))
        groups: dict[tuple[str, ...], list[FeatureView]] = {}
        for view in VIEWS.values():
            if view.stream.name == stream.name:
                groups.setdefault(view.names, []).append(view)
        parts.extend(view_section(views) for views in groups.values())
    return "\n\n".join(parts) + "\n"


def reference_page() -> str:
    """Every public name of every module with the first line of its docstring."""
    parts = ["# Reference", "Written by `make docs` from the code; a test keeps it current."]
    for package in PACKAGES:
        root = importlib.import_module(package)
        found = pkgutil.walk_packages(root.__path__, f"{package}.")
        for name in [package, *sorted(module.name for module in found)]:
            module = importlib.import_module(name)
            public = getattr(module, "__all__", [])
            if not public:
                continue
            first = cell((module.__doc__ or "").strip().split("\n\n")[0])
            rows = [f"- `{n}`: {summary(module, n)}" for n in public]
            parts.append(f"## `{name}`\n\n{first}\n\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def summary(module: object, name: str) -> str:
    """The first sentence of a public name's docstring, or what kind of value it is."""
    value = getattr(module, name)
    if isinstance(value, FeatureView):
        return f"the view `{value.name}`."
    if isinstance(value, Stream):
        return f"the stream `{value.name}`."
    own = inspect.isclass(value) or inspect.isroutine(value)
    text = inspect.getdoc(value) if own else None
    if not text:
        return f"{type(value).__name__}."
    return cell(text.split("\n\n")[0])


PAGES = {"views.md": views_page, "reference.md": reference_page}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (ROOT / "docs" / page).write_text(write())
