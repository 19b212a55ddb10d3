"""Which modules each command loads: what is loaded without need is what a prompt waits for.

The figures are in docs/performance.md. A module that is new here costs every run of that command about a
fiftieth of Python's own start; of the standard library's, those are watched that cost more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROFILES = '[profiles.work]\nprovider = "moonshot-cn"\n'
HEAVY = {
    "argparse",
    "asyncio",
    "ctypes",
    "dataclasses",
    "datetime",
    "deepmerge",
    "email",
    "filelock",
    "fnmatch",
    "gettext",
    "hashlib",
    "importlib",
    "importlib.metadata",
    "importlib.resources",
    "inspect",
    "ipaddress",
    "keyring",
    "locale",
    "logging",
    "ntpath",
    "platformdirs",
    "pydantic",
    "random",
    "rich",
    "shlex",
    "shutil",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "tomlkit",
    "tomllib",
    "typing",
    "warnings",
    "zipfile",
}

SCRIPT = """
import os, sys
from kimi_profiles import __main__

def leave(status):
    loaded = (name for name, module in sys.modules.items() if not isinstance(module, __main__._Deferred))
    print(status, *sorted(loaded), file=sys.__stdout__)

sys.stdout = open(os.devnull, "w")
__main__._leave = leave
__main__.main()
"""

START = "__main__ _version arguments call cli errors grammar paths route screen values"
STORE = "commands compiled digests files kept patterns profile secrets store"
VALUES = "jsontext jsontext.address jsontext.narrow jsontext.strict jsontext.values"
JSON = f"{VALUES} jsontext.document jsontext.scan"
HIDDEN = "client layers request survey"
PREDICTION = f"{HIDDEN} known"
RECORDS = "drift entries ledger status"
SHELL = "catalogue change claude credentials endpoint environment loopback shells"
APPLYING = (
    "api backups catalogue change claude credentials difference endpoint git homes intents jsontext.edit "
    "jsontext.layout jsontext.splices jsontext.wanted layers locks loopback plan report restore supplied "
    "targets"
)
WRITING = "progress transaction"
UNAPPLY = "catalogue commands commands.apply commands.status digests files patterns secrets"

# Command line → modules of ours, and of the HEAVY ones. The profile was applied before, so it is kept.
LOADS = {
    "--version": (START, ""),
    "list --names": (f"{START} {STORE} commands.list", ""),
    "token work": (f"{START} {STORE} catalogue commands.token credentials endpoint loopback", ""),
    "env work": (f"{START} {STORE} {VALUES} {PREDICTION} {SHELL} commands.env", ""),
    "status": (f"{START} {STORE} {JSON} {PREDICTION} {RECORDS} api commands.status report", ""),
    "plan work": (f"{START} {STORE} {JSON} {RECORDS} {APPLYING} commands.apply commands.plan", ""),
    "apply work": (
        f"{START} {STORE} {JSON} {HIDDEN} {RECORDS} {APPLYING} {WRITING} commands.apply",
        "",
    ),
    "unapply": (
        f"{START} {UNAPPLY} {JSON} {RECORDS} {APPLYING} {WRITING} commands.unapply linux",
        "ctypes",
    ),
}


def of_ours(loaded: set[str]) -> set[str]:
    return {name.removeprefix("kimi_profiles.") for name in loaded if name.startswith("kimi_profiles.")}


@pytest.fixture
def run(isolated_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], set[str]]:
    home = isolated_environment
    store = home / ".config" / "kimi-profiles" / "profiles.toml"
    store.parent.mkdir(parents=True)
    store.write_text(PROFILES)
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-test-0123456789abcdef")

    def run(line: str) -> set[str]:
        command = [sys.executable, "-c", SCRIPT, *line.split()]
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=home).stdout
        status, *modules = told.splitlines()[-1].split()
        assert status == "0"
        return set(modules)

    run("apply work")
    return run


@pytest.mark.skipif(sys.platform != "linux", reason="what is loaded elsewhere differs a little")
@pytest.mark.parametrize("line", LOADS)
def test_a_command_loads_no_more_than_this(line: str, run: Callable[[str], set[str]]) -> None:
    ours, heavy = LOADS[line]
    loaded = run(line)
    assert of_ours(loaded) == set(ours.split())
    assert loaded & HEAVY == set(heavy.split())


def test_a_profile_that_is_not_kept_loads_what_checks_it(
    run: Callable[[str], set[str]], isolated_environment: Path
) -> None:
    shutil.rmtree(isolated_environment / ".cache")
    loaded = run("apply work")
    assert {"pydantic", "tomllib"} <= loaded
    assert not {"deepmerge", "tomlkit", "platformdirs", "filelock", "rich", "keyring"} & loaded
    assert not {"email", "importlib.metadata", "zipfile"} & loaded
    assert not {"calendar", "csv", "socket", "tempfile"} & loaded
    assert not {"pydantic", "tomllib"} & run("apply work")


def test_a_script_that_is_kept_loads_no_other_command(run: Callable[[str], set[str]]) -> None:
    assert {"argparse", "pydantic"} <= run("completion zsh")
    loaded = run("completion zsh")
    assert not loaded & HEAVY
    assert of_ours(loaded) == set(f"{START} commands commands.completion digests files kept".split())


def test_what_merges_tables_is_loaded_for_a_profile_that_inherits(
    run: Callable[[str], set[str]], isolated_environment: Path
) -> None:
    store = isolated_environment / ".config" / "kimi-profiles" / "profiles.toml"
    store.write_text(PROFILES + '[profiles.child]\nextends = "work"\n')
    assert "deepmerge" not in run("plan work")
    assert "deepmerge" in run("plan child")


PLUGIN = """
import pathlib, sys
pathlib.Path(__file__).with_name("was-loaded").touch()

class Plugin:
    def new_schema_validator(self, *_, **__):
        return None, None, None
"""


def test_no_plugin_of_pydantic_sees_a_profile(
    run: Callable[[str], set[str]],
    isolated_environment: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = tmp_path / "spy-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: spy\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[pydantic]\nspy = spy:Plugin\n")
    (tmp_path / "spy.py").write_text(PLUGIN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    shutil.rmtree(isolated_environment / ".cache")
    assert "pydantic" in run("apply work")
    assert not (tmp_path / "was-loaded").exists()
    model = "import pydantic; pydantic.create_model('Other', name=(str, ...))(name='')"
    subprocess.run([sys.executable, "-c", model], check=True)
    assert (tmp_path / "was-loaded").exists(), "this plugin is none"


@pytest.mark.parametrize("before", [None, "some"])
def test_how_plugins_are_kept_out_leaves_nothing_behind(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "PYDANTIC_DISABLE_PLUGINS"
    monkeypatch.delenv(name, raising=False)
    if before is not None:
        monkeypatch.setenv(name, before)
    script = f"""
import os, subprocess, sys
from kimi_profiles import __main__
sys.modules[__main__._MODELS] = __main__._Models(__main__._MODELS)
from kimi_profiles.declaration import check_table
assert "pydantic.plugin._loader" in sys.modules
assert "importlib.metadata" not in sys.modules
assert os.environ.get("{name}") == {before!r}
told = [sys.executable, "-c", "import os; print(os.environ.get('{name}'))"]
assert subprocess.check_output(told, text=True) == "{before}\\n"
check_table({{"provider": "moonshot-cn"}}, ("profiles", "work"))
assert "importlib.metadata" not in sys.modules
import importlib.metadata
assert "kimi-profiles" in {{one.name for one in importlib.metadata.entry_points(group="console_scripts")}}
from pydantic.plugin import _loader
asked = getattr(_loader, "entry_points", None) or _loader.importlib_metadata.entry_points
assert "kimi-profiles" in {{one.name for one in asked(group="console_scripts")}}
assert sys.modules["importlib.metadata"] is importlib.metadata
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_was_put_off_is_there_when_it_is_needed() -> None:
    script = """
import sys
from kimi_profiles import __main__
sys.modules["ipaddress"] = deferred = __main__._Deferred("ipaddress")
import urllib.parse
assert sys.modules["ipaddress"] is deferred
try:
    urllib.parse.urlsplit("https://[::1%]/")
except ValueError:
    pass
real = sys.modules["ipaddress"]
assert real is not deferred and real.__file__
from ipaddress import ip_address
assert ip_address is deferred.ip_address is real.ip_address
sys.modules["ntpath"] = deferred = __main__._Deferred("ntpath")
import pathlib, pickle
pathlib.PureWindowsPath(r"C:\\\\a\\\\..\\\\b").relative_to("c:/a")
assert pickle.loads(pickle.dumps(ip_address("::1"))).is_loopback
sys.modules["csv"] = changed = __main__._Deferred("csv")
changed.QUOTE_ALL = "changed"
import csv
assert csv is not changed and csv.QUOTE_ALL == changed.QUOTE_ALL == "changed"
try:
    deferred.nonsense
except AttributeError as error:
    assert "ntpath" in str(error)
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", script], check=True)
