"""What is known of a large file is believed while the file is the same, and not a moment longer."""

from __future__ import annotations

import copy
import json
import os
import pickle
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kimi_profiles import ClaudeCode, kept, known
from kimi_profiles.errors import NotPermittedError
from kimi_profiles.files import OpenFile
from kimi_profiles.known import KnownFiles
from kimi_profiles.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there every file is read every time")

TOKEN = "sk-test-0123456789abcdefghij"
PROFILE = Profile("work", "https://llm.example/anthropic")
FILL = " " * (256 << 10)
LATER_S = 60.0


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read."""
    names: list[str] = []
    read = OpenFile.read

    def note(self: OpenFile) -> bytes | None:
        names.append(self.path.name)
        return read(self)

    monkeypatch.setattr(OpenFile, "read", note)
    return names


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Put the clock ahead by so many seconds, since files cannot be made as of earlier."""

    def ahead(seconds: float) -> None:
        monkeypatch.setattr(known, "time", SimpleNamespace(time=lambda: time.time() + seconds))

    ahead(LATER_S)
    return ahead


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "large.json"
    path.write_text("{}" + FILL, encoding="utf-8")
    time.sleep(0.02)  # longer than a clock of Linux stands still
    return path


@pytest.fixture
def files(tmp_path: Path) -> KnownFiles:
    return KnownFiles(tmp_path / "cache")


def in_place(path: Path) -> None:
    """Other bytes, just as many, and the time of the last change as it was."""
    times = path.stat()
    with path.open("r+b") as file:
        file.write(b"[]")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def in_its_place(path: Path) -> None:
    """Another file, as large and as old."""
    times = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"[]" + path.read_bytes()[2:])
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)


def touched(path: Path) -> None:
    times = path.stat()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1))


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b" ")


def linked_elsewhere(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.with_name("elsewhere").write_bytes(path.with_name("aside").read_bytes())
    path.symlink_to("elsewhere")


CHANGES = {change.__name__: change for change in (in_place, in_its_place, touched, longer, linked_elsewhere)}


@pytest.mark.usefixtures("clock")
def test_a_file_that_is_known_is_not_read_again(file: Path, files: KnownFiles, read: list[str]) -> None:
    first = files.look(file, "is empty")
    assert (first.is_known, first.data) == (False, file.read_bytes())
    assert not files.look(file, "is empty").is_known  # nobody said so
    first.keep()
    read.clear()
    assert (files.look(file, "is empty").is_known, files.look(file, "is empty").data) == (True, None)
    assert read == []


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_changed_is_read(change: Callable[[Path], None], file: Path, files: KnownFiles) -> None:
    files.look(file, "is empty").keep()
    assert files.look(file, "is empty").is_known
    change(file)
    look = files.look(file, "is empty")
    assert (look.is_known, look.data) == (False, file.read_bytes())


@pytest.mark.usefixtures("clock")
def test_another_fact_of_another_file_or_by_another_program_is_another(
    file: Path, files: KnownFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.look(file, "is empty").keep()
    assert not files.look(file, "is full").is_known
    link = file.with_name("link.json")
    link.symlink_to(file.name)
    assert not files.look(link, "is empty").is_known
    monkeypatch.setattr(kept, "__version__", "99")
    assert not files.look(file, "is empty").is_known


@pytest.mark.parametrize("age_s", [-60.0, 0.0, 2.9])
def test_what_changed_a_moment_ago_is_not_relied_on(
    age_s: float, file: Path, files: KnownFiles, clock: Callable[[float], None]
) -> None:
    clock(age_s)
    files.look(file, "is empty").keep()
    assert not files.look(file, "is empty").is_known
    clock(LATER_S)
    files.look(file, "is empty").keep()
    assert files.look(file, "is empty").is_known


@pytest.mark.usefixtures("clock")
def test_of_a_small_file_nothing_is_kept(file: Path, files: KnownFiles) -> None:
    file.write_text("{}", encoding="utf-8")
    files.look(file, "is empty").keep()
    assert not files.look(file, "is empty").is_known
    assert not (file.parent / "cache").exists()


@pytest.mark.usefixtures("clock")
def test_where_no_file_is_or_none_that_may_be_read(file: Path, files: KnownFiles) -> None:
    files.look(file, "is empty").keep()
    file.unlink()
    look = files.look(file, "is empty")
    assert (look.is_known, look.data) == (False, None)
    os.mkfifo(file)
    with pytest.raises(NotPermittedError):
        files.look(file, "is empty")


# ---- what is told of Claude Code's files


class House:
    """A home with a large state file, to which a profile is applied."""

    def __init__(self, home: Path) -> None:
        self.state = home / ".claude.json"
        (home / ".claude").mkdir(exist_ok=True)
        self.write({"numStartups": 3})
        self.claude = ClaudeCode.user(home=home)
        self.claude.apply(PROFILE, token=TOKEN)
        self.ledger = home / ".local" / "state" / "kimi-profiles" / "ledger.json"
        self.facts = home / ".cache" / "kimi-profiles" / "files"

    def write(self, document: dict[str, Any]) -> None:
        """What the state file holds."""
        self.state.write_text(json.dumps(document) + FILL, encoding="utf-8")
        time.sleep(0.02)  # longer than a clock of Linux stands still

    def told(self) -> tuple[bool, list[str]]:
        """Whether all is in sync, and what else is sent."""
        survey = self.claude.survey()
        return self.claude.status().in_sync, [each.source for each in survey.request.credentials]


@pytest.fixture
def house(tmp_path: Path) -> House:
    home = tmp_path / "home"
    home.mkdir()
    return House(home)


@pytest.mark.usefixtures("clock")
def test_status_and_survey_read_a_large_state_file_once(house: House, read: list[str]) -> None:
    before = house.told()
    read.clear()
    assert house.told() == before == (True, ["ANTHROPIC_AUTH_TOKEN"])
    assert ".claude.json" not in read


@pytest.mark.usefixtures("clock")
def test_what_comes_into_it_is_told_at_once(house: House) -> None:
    assert house.told() == (True, ["ANTHROPIC_AUTH_TOKEN"])
    house.write({"hasCompletedOnboarding": True, "primaryApiKey": "sk-test-another-key-of-somebody"})
    assert house.told() == (True, ["ANTHROPIC_AUTH_TOKEN", "primaryApiKey"])
    house.write({"numStartups": 4})
    assert house.told() == (False, ["ANTHROPIC_AUTH_TOKEN"])


@pytest.mark.usefixtures("clock")
def test_a_drift_is_told_every_time(house: House) -> None:
    house.write({"hasCompletedOnboarding": False})
    for _ in range(2):
        assert house.told()[0] is False


@pytest.mark.usefixtures("clock")
def test_another_record_is_another_fact(house: House) -> None:
    assert house.told()[0] is True
    ledger = house.ledger.read_bytes()
    house.claude.unapply()
    house.write({"primaryApiKey": "sk-test-a-key-of-the-console"})
    house.claude.apply(PROFILE, token=TOKEN)
    assert house.told()[0] is True
    house.ledger.write_bytes(ledger.replace(b'"/hasCompletedOnboarding"', b'"/hasCompletedNothing"'))
    assert house.told()[0] is False


@pytest.mark.usefixtures("clock")
def test_no_fact_is_kept_of_a_file_that_says_something(house: House) -> None:
    house.write({"hasCompletedOnboarding": True, "env": {"ANTHROPIC_MODEL": "m", "A_TOKEN": TOKEN}})
    house.told()
    for path in house.facts.iterdir():
        assert TOKEN not in path.read_text()
    house.claude.unapply()
    house.told()
    assert house.claude.survey().effective.value("ANTHROPIC_MODEL") == "m"
    assert house.claude.survey().effective.value("ANTHROPIC_MODEL") == "m"


@pytest.mark.usefixtures("clock")
def test_a_broken_file_is_told_every_time(house: House) -> None:
    house.state.write_text("{" + FILL, encoding="utf-8")
    for _ in range(2):
        (layer,) = (each for each in house.claude.survey().effective.layers if each.ignored)
        assert layer.path == house.state


@pytest.mark.usefixtures("clock")
def test_who_writes_and_who_wants_the_text_reads(house: House, read: list[str]) -> None:
    house.told()
    read.clear()
    (layer,) = (
        each for each in house.claude.survey(with_texts=True).effective.layers if each.path == house.state
    )
    assert "numStartups" in layer.text
    assert ".claude.json" in read
    read.clear()
    house.claude.apply(PROFILE, token=TOKEN)
    assert ".claude.json" in read


@pytest.mark.usefixtures("clock")
def test_a_name_that_is_not_utf8_is_a_name(house: House, tmp_path: Path) -> None:
    project = tmp_path / os.fsdecode(b"caf\xe9")
    project.mkdir()
    claude = ClaudeCode.local(project, home=tmp_path / "home")
    claude.apply(PROFILE, token=TOKEN)
    assert claude.status().in_sync
    assert claude.status().in_sync


@pytest.mark.usefixtures("clock")
def test_a_status_is_a_value(house: House) -> None:
    house.claude.apply(PROFILE, token=TOKEN)
    status = house.claude.status()
    assert status == house.claude.status()
    assert pickle.loads(pickle.dumps(status)) == status == copy.deepcopy(status)
    assert (status.elsewhere, hash(status.elsewhere), repr(status.elsewhere)) == ((), hash(()), "()")
