"""The plan of the house, kept by machine: who may import whom, what lives where, what is unsafe."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("features", "models", "pipeline", "serving")
DOOR = ("tocsin.py", "serving/cli/")
LONGEST = 300

# A library that may be imported only below these paths.
HOMES = {
    "apscheduler": ("pipeline/lifecycle/schedule.py",),
    "jinja2": ("pipeline/report/",),
    "matplotlib": ("pipeline/report/",),
    "fastapi": ("serving/",),
    "mlflow": ("models/registry.py",),
    "confluent_kafka": ("pipeline/sources/",),
    "eth_tester": ("pipeline/simulate/chain/",),
    "psutil": ("pipeline/sources/",),
    "pyspark": ("pipeline/backfill/",),
    "sqlalchemy": (
        "serving/",
        "pipeline/stream/checkpoint.py",
        "pipeline/stream/tables.py",
        "pipeline/database.py",
    ),
    "web3": ("pipeline/sources/", "pipeline/simulate/chain/", "serving/playbooks/actions/"),
}
# One way to write a kernel: types come from numba, compilation from features/jit.py.
COMPILERS = {"numba", "numba.cfunc", "numba.guvectorize", "numba.jit", "numba.njit"}
# A library that a floor may not know at all: features know no models, models see only numpy.
FOREIGN = {
    "features": {"deltalake", "river", "sklearn"},
    "models": {"deltalake", "polars", "pyarrow"},
}
# A library that a floor may import only inside the function that needs it.
DEFERRED = {"features": {"pandas"}, "models": {"pandas"}}
# All that the front door may import before it knows which command is meant.
LIGHT = {"typer", "rich", *sys.stdlib_module_names}

DISTRIBUTIONS = {
    "confluent_kafka": "confluent-kafka",
    "eth": "py-evm",
    "eth_account": "eth-account",
    "eth_tester": "eth-tester",
    "prometheus_client": "prometheus-client",
    "sigma": "pysigma",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
# Loading these, or from these, can run code.
UNSAFE_MODULES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
UNSAFE_CALLS = {
    "eval",
    "exec",
    "os.popen",
    "os.system",
    "yaml.full_load",
    "yaml.load",
    "yaml.unsafe_load",
}
UNSAFE_FLAGS = {"shell", "allow_pickle"}

# Tests of the repository itself, or of much of it together, rather than of a module.
OF_THE_REPOSITORY = {
    "tests/serving/proof/test_alerts_proof.py",
    "tests/test_docs.py",
    "tests/test_layout.py",
    "tests/test_lock.py",
}


def modules(root: Path, *places: str) -> Iterator[tuple[str, str, ast.Module]]:
    """Path, text and tree of each Python file below the places."""
    for place in places:
        top = root / place
        for file in sorted(top.rglob("*.py")) if top.is_dir() else [top] * top.exists():
            text = file.read_text(encoding="utf-8")
            yield file.relative_to(root).as_posix(), text, ast.parse(text)


def imports(tree: ast.Module) -> Iterator[tuple[str, int, bool]]:
    """Absolute dotted name, line and "runs when the module is imported" of each import."""
    deferred = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        or (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            names = [f"{source}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, node.lineno, id(node) not in deferred


def import_faults(path: str, tree: ast.Module, declared: set[str]) -> Iterator[str]:
    floor = path.split("/")[0]
    light = path.startswith(DOOR)
    for name, line, at_once in imports(tree):
        top = name.split(".")[0]
        where = f"{path}:{line}: "
        if not top:
            yield where + "relative import; write the full name"
        elif top in FLOORS:
            if floor in FLOORS and FLOORS.index(top) > FLOORS.index(floor):
                yield where + f"{floor} imports {top}: an import only points down"
            elif light and at_once and not f"{name.replace('.', '/')}/".startswith(DOOR):
                yield where + f"{name} at the top of the front door; import it inside its command"
        elif light and at_once and top not in LIGHT:
            yield where + f"{name} at the top of the front door; import it inside its command"
        elif top in {"tocsin", "tests", "benchmarks"} and floor in FLOORS:
            yield where + f"{floor} imports {top}"
        elif top in HOMES and not path.startswith(HOMES[top]):
            yield where + f"{top} belongs in {' or '.join(HOMES[top])}"
        elif name in COMPILERS and path != "features/jit.py":
            yield where + f"{name} outside features/jit.py; write @kernel"
        elif top in FOREIGN.get(floor, ()):
            yield where + f"{floor} knows nothing of {top}"
        elif top in DEFERRED.get(floor, ()) and at_once:
            yield where + f"{top} at the top of a module of {floor}; import it where it is used"
        elif top in UNSAFE_MODULES:
            yield where + f"{top} can run code when it loads"
        elif top not in sys.stdlib_module_names and DISTRIBUTIONS.get(top, top) not in declared:
            yield where + f"{top} is not a dependency in pyproject.toml"


def safety_faults(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if (called := ast.unparse(node.func)) in UNSAFE_CALLS:
            yield f"{path}:{node.lineno}: {called}() can run code"
        for keyword in node.keywords:
            if keyword.arg in UNSAFE_FLAGS and ast.unparse(keyword.value) != "False":
                yield f"{path}:{node.lineno}: {keyword.arg}={ast.unparse(keyword.value)}"


def form_faults(path: str, tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield f"{path}: no docstring"
    elif len(tree.body) == 1:
        return
    body = {ast.unparse(node).split(" =")[0].split(":")[0] for node in tree.body}
    if "from __future__ import annotations" not in body:
        yield f"{path}: no `from __future__ import annotations`"
    if "__all__" not in body:
        yield f"{path}: no __all__"


def length_faults(path: str, text: str) -> Iterator[str]:
    if (lines := text.count("\n")) > LONGEST:
        yield f"{path}: {lines} lines; {LONGEST} is the edge"


def mirror_faults(root: Path, path: str) -> Iterator[str]:
    """`tests/a/test_b.py` and `tests/a/test_b_<topic>.py` test `a/b.py` or the package `a/b`."""
    test = Path(path)
    if test.name == "conftest.py" or path in OF_THE_REPOSITORY:
        return
    words = test.stem.removeprefix("test_").split("_")
    below = Path(*test.parts[1:-1])
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    if test.name == "__init__.py":
        yield f"{path}: tests are not a package"
    elif not test.stem.startswith("test_"):
        return
    elif not any(
        (root / below / name).is_dir() or (root / below / f"{name}.py").is_file() for name in names
    ):
        yield f"{path}: tests no module; expected {below / names[-1]}.py"


def declared_dependencies(root: Path) -> set[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return {re.split(r"[^\w.-]", line)[0].lower() for group in groups for line in group}


def faults(root: Path) -> list[str]:
    """Everything in the tree below `root` that breaks a rule of the house."""
    declared = declared_dependencies(root)
    found: list[str] = []
    for path, _, tree in modules(root, *FLOORS, DOOR[0]):
        found += import_faults(path, tree, declared)
        found += safety_faults(path, tree)
        found += form_faults(path, tree)
    for path, text, _ in modules(root, *FLOORS, DOOR[0], "tests", "benchmarks"):
        found += length_faults(path, text)
    for path, _, _ in modules(root, "tests"):
        found += mirror_faults(root, path)
    return found


def test_the_house_stands_as_planned() -> None:
    found = faults(ROOT)
    assert not found, "\n".join(found)


def test_all_four_floors_are_looked_at() -> None:
    assert {path.split("/")[0] for path, _, _ in modules(ROOT, *FLOORS)} == set(FLOORS)


HEAD = '"""A module."""\n\nfrom __future__ import annotations\n\n__all__: list[str] = []\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["numpy>=2", "scikit-learn", "pandas", "psutil>=7", "numba"]\n'
        '[project.optional-dependencies]\ndev = ["pytest[x]>=9", "typer"]\n'
    )
    for floor in FLOORS:
        (tmp_path / floor).mkdir()
        (tmp_path / floor / "__init__.py").write_text('"""A floor."""\n')
    (tmp_path / DOOR[0]).write_text(HEAD)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("models/fine.py", HEAD + "import numpy as np\nimport sklearn.ensemble\nimport features.x"),
        ("models/deferred.py", HEAD + "def f():\n    import pandas\n"),
        ("pipeline/sources/host.py", HEAD + "import psutil"),
        ("serving/top.py", HEAD + "from models import a\nfrom pipeline import b"),
        ("tocsin.py", HEAD + "import sys\nfrom serving.cli import app\n"),
        ("serving/cli/a.py", HEAD + "import typer\ndef f():\n    from serving import app\n"),
        ("features/safe.py", HEAD + "from numba import int64\nnumpy.load('a', allow_pickle=False)"),
        ("tests/features/test_init_and_more.py", "def test_x() -> None: ..."),
    ],
)
def test_a_good_tree_has_no_faults(tree: Path, path: str, text: str) -> None:
    (tree / "features" / "init.py").write_text(HEAD)
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)
    assert faults(tree) == []


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("features/a.py", HEAD + "from models import x", "an import only points down"),
        ("models/a.py", HEAD + "def f():\n    import serving.app", "only points down"),
        ("pipeline/a.py", HEAD + "import tocsin", "pipeline imports tocsin"),
        ("models/a.py", HEAD + "from . import b", "relative import"),
        ("models/a.py", HEAD + "import psutil", "psutil belongs in pipeline/sources/"),
        ("models/a.py", HEAD + "from numba import njit", "numba.njit outside features/jit.py"),
        ("features/a.py", HEAD + "import numba", "numba outside features/jit.py"),
        ("models/a.py", HEAD + "import polars as pl", "models knows nothing of polars"),
        ("features/a.py", HEAD + "import sklearn", "features knows nothing of sklearn"),
        ("models/a.py", HEAD + "import pandas", "import it where it is used"),
        ("serving/a.py", HEAD + "import flask", "not a dependency"),
        ("serving/a.py", HEAD + "import pickle", "can run code when it loads"),
        ("serving/a.py", HEAD + "eval('1')", "eval() can run code"),
        ("serving/a.py", HEAD + "import yaml\nyaml.load('')", "yaml.load() can run code"),
        ("serving/a.py", HEAD + "run('ls', shell=True)", "shell=True"),
        ("serving/a.py", HEAD + "load('a', allow_pickle=flag)", "allow_pickle=flag"),
        ("serving/a.py", HEAD + "x = 1\n" * 300, "300 is the edge"),
        ("serving/a.py", HEAD.replace('"""A module."""', ""), "no docstring"),
        ("serving/a.py", '"""A."""\n__all__ = []', "no `from __future__"),
        ("serving/a.py", '"""A."""\nfrom __future__ import annotations', "no __all__"),
        ("tocsin.py", HEAD + "import features", "import it inside its command"),
        ("tocsin.py", HEAD + "import numpy", "import it inside its command"),
        ("serving/cli/a.py", HEAD + "from serving import app", "import it inside its command"),
        ("tests/models/test_gone.py", "", "expected models/gone.py"),
        ("tests/models/__init__.py", "", "tests are not a package"),
    ],
)
def test_a_broken_rule_is_named(tree: Path, path: str, text: str, complaint: str) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)
    found = faults(tree)
    assert any(line.startswith(path) and complaint in line for line in found), found
