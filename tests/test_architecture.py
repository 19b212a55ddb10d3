"""The floors of the house: a module imports only from lower ones, a command loads what it needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kimi_profiles

PACKAGE = Path(kimi_profiles.__file__).parent

FLOORS = (
    {"linux", "patterns", "values"},
    {"_version", "digests", "errors", "grammar", "loopback"},
    {"archive", "help", "jsontext", "secrets", "route", "screen", "shells", "tomltext"},
    {
        "entries",
        "change",
        "completion",
        "profile",
        "catalogue",
        "paths",
        "files",
        "git",
        "client",
        "progress",
        "startup",
    },
    {
        "locks",
        "credentials",
        "endpoint",
        "ledger",
        "drift",
        "backups",
        "layers",
        "online",
        "shellrc",
        "excerpt",
        "kept",
    },
    {"declaration", "claude", "plan", "difference", "known", "request", "recordfile"},
    {"compiled", "inheritance", "presumed", "targets", "supplied", "survey", "environment", "schema"},
    {"store", "transaction", "merge"},
    {"report", "restore", "status"},
    {"intents"},
    {"api", "editing"},
    {"doctor", "homes", "running", "importing"},
    {"call"},
    {"commands"},
    {"arguments"},
    {"cli"},
    {"__main__"},
)
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
THIRD_PARTY = {
    "platformdirs": {"paths"},
    "filelock": {"locks"},
    "pydantic": {"declaration"},
    "pydantic_core": {"declaration"},
    "deepmerge": {"inheritance"},
    "keyring": {"credentials"},
    "rich": {"progress", "screen"},
    "tomlkit": {"editing"},
    "_sha2": {"digests"},  # of the standard library, but not of every Python's
    "_sha256": {"digests"},
}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(path: Path) -> str:
    """The room a file belongs to: its own name, or that of its package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Dotted names that ``path`` imports when it runs; imports for type checkers are not among them."""
    names = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.append(str(node.module))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_lower_floors(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package != "kimi_profiles":
            continue
        there = rest.partition(".")[0] or "_version"
        if there != here:
            assert FLOOR_OF[there] < FLOOR_OF[here], f"{here} imports {there}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_third_party_package_has_its_rooms(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"kimi_profiles"}
    for name in imports(path):
        package = name.partition(".")[0]
        if package not in allowed:
            assert room(path) in THIRD_PARTY[package], f"{path.name} imports {package}"


def test_every_room_has_a_floor() -> None:
    assert {room(path) for path in MODULES} == set(FLOOR_OF)


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules that are loaded after ``code`` ran in a new interpreter."""
    script = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split("\n")[-2].split())


LOADS = {
    "importing the package": "import kimi_profiles",
    "--help": "from kimi_profiles.cli import main; main(['--help'])",
    "providers": "from kimi_profiles.cli import main; main(['providers', '--quiet'])",
    "status, nothing applied": "from kimi_profiles.cli import main; main(['status'])",
    "models": "from kimi_profiles.cli import main; main(['models', '--quiet'])",
}


@pytest.mark.parametrize("code", LOADS.values(), ids=LOADS)
def test_no_third_party_package_is_loaded_in_vain(code: str) -> None:
    """The commands that prompts wait for are in ``test_loaded_modules.py``, module by module."""
    assert not loaded_by(code) & THIRD_PARTY.keys() - sys.stdlib_module_names
