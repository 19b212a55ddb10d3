"""``edit``: what is installed of what an editor does. And ``add``, where it asks at a terminal."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from commands.conftest import STORE, Run, tree
from support import require_tool, stamp_of

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="a terminal as POSIX has them")
NEW = STORE.replace("Kimi at work", "Kimi at home")
WRONG = STORE.replace('provider = "moonshot-cn"', 'provider = "nowhere"')

EDITOR = """\
import os, sys
from pathlib import Path
log, *steps = Path(sys.argv[1]).read_text().split("\\0")
copy = Path(sys.argv[-1])
seen = f"{sys.argv[2:-1]} {oct(copy.stat().st_mode & 0o777)} {oct(copy.parent.stat().st_mode & 0o777)}\\n"
with Path(log).open("a") as file:
    file.write(seen)
count = len(Path(log).read_text().splitlines())
exec(steps[min(count, len(steps)) - 1])
"""


class Editor:
    """An editor that does something to the copy, another thing each time it is started."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.log = folder / "log"

    def does(self, *steps: str, options: str = "") -> None:
        """Install it as ``$EDITOR``; each step is Python, in which ``copy`` is the path."""
        script, plan = self.folder / "editor.py", self.folder / "plan"
        script.write_text(EDITOR)
        plan.write_text("\0".join([str(self.log), *steps]))
        words = [sys.executable, str(script), str(plan)]
        self.monkeypatch.setenv("EDITOR", f"{shlex.join(words)} {options}")

    def writes(self, *texts: str, options: str = "") -> None:
        self.does(*(f"copy.write_text({text!r})" for text in texts), options=options)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    monkeypatch.delenv("VISUAL", raising=False)
    folder = tmp_path / "an editor"
    folder.mkdir()
    return Editor(folder, monkeypatch)


@pytest.fixture
def store(home: Path) -> Path:
    return home / "profiles.toml"


def copies(home: Path) -> list[Path]:
    return [path for path in home.rglob("*.toml") if "edit-" in path.parent.name]


def test_what_was_saved_takes_the_place_of_the_file(
    run: Run, home: Path, store: Path, editor: Editor
) -> None:
    editor.writes(NEW, options="--wait -x")
    told = run("edit")
    assert (told.status, told.err) == (0, "")
    assert told.out.startswith("saved ")
    assert store.read_text() == NEW
    assert copies(home) == []
    if os.name != "nt":
        assert editor.calls == ["['--wait', '-x'] 0o600 0o700"]


def test_edit_answers_scripts(run: Run, store: Path, editor: Editor) -> None:
    editor.does(f"print('hello'); copy.write_text({NEW!r})")
    facts = {"schema": 1, "ok": True, "command": "edit", "profile": None, "path": str(store), "warnings": []}
    assert run("edit --json").json == {**facts, "changed": True, "dry_run": False}
    editor.does("pass")
    assert run("edit --json").json == {**facts, "changed": False, "dry_run": False}


WAYS = {
    "by a rename": f"new = copy.with_name('new'); new.write_text({NEW!r}); new.replace(copy)",
    "with a backup beside it": f"copy.with_name('x~').write_text('x'); copy.write_text({NEW!r})",
    "with another mode": f"copy.chmod(0o644); copy.write_text({NEW!r})",
}


@pytest.mark.parametrize("step", WAYS.values(), ids=WAYS)
def test_however_the_editor_writes(run: Run, home: Path, store: Path, editor: Editor, step: str) -> None:
    mode = store.stat().st_mode
    editor.does(step)
    assert run("edit").status == 0
    assert store.read_text() == NEW
    assert store.stat().st_mode == mode
    assert list(home.rglob("edit-*")) == []


UNCHANGED = {
    "nothing": "pass",
    "the same text again": "copy.write_text(copy.read_text())",
    "removed": "copy.unlink()",
}


@pytest.mark.parametrize("step", UNCHANGED.values(), ids=UNCHANGED)
def test_without_a_change_nothing_is_written(run: Run, store: Path, editor: Editor, step: str) -> None:
    before = stamp_of(store)
    editor.does(step)
    assert run("edit").out == "nothing changed\n"
    assert stamp_of(store) == before


INVALID = {
    "a wrong profile": (WRONG, 6, "there is no provider 'nowhere'"),
    "no TOML": (STORE + "[", STORE.count("\n") + 1, "this is not TOML"),
    "another profile": (STORE + "[profiles.x]\n", STORE.count("\n") + 1, "neither provider nor base_url"),
    "a token": (
        STORE + 'auth.token = "sk-test-0123456789abcdefghij"\n',
        STORE.count("\n") + 1,
        "a token itself",
    ),
}


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID)
def test_what_is_invalid_is_kept_and_never_installed(
    run: Run, home: Path, editor: Editor, case: tuple[str, int, str]
) -> None:
    text, line, message = case
    editor.writes(text)
    told = run("edit")
    assert told.status == 78
    assert message in told.err
    (copy,) = copies(home)
    assert f"{copy}:{line}:" in told.err
    assert f"what you wrote is kept in {copy}" in told.err
    assert copy.read_text() == text
    assert (home / "profiles.toml").read_text() == STORE
    assert len(editor.calls) == 1


def test_what_is_invalid_is_told_to_scripts(run: Run, home: Path, editor: Editor) -> None:
    editor.writes(WRONG)
    told = run("edit --json")
    (copy,) = copies(home)
    error = told.json["error"]
    assert (told.json["exit_code"], error["path"], error["line"]) == (78, str(copy), 6)
    assert str(copy) in error["hint"]


def test_what_is_no_text_is_kept(run: Run, home: Path, editor: Editor) -> None:
    editor.does("copy.write_bytes(b'\\xff')")
    assert "this is not UTF-8" in run("edit").err
    assert copies(home)[0].read_bytes() == b"\xff"
    editor.does("copy.write_bytes(b'#' * (1 << 22))")
    assert "larger than 2 MiB" in run("edit").err


def test_a_file_that_is_broken_can_be_mended(run: Run, store: Path, editor: Editor) -> None:
    store.write_text("[profiles")
    editor.writes(STORE)
    assert run("edit work").status == 0
    assert store.read_text() == STORE


def test_where_there_is_no_file_it_begins_with_the_examples(
    run: Run, home: Path, store: Path, editor: Editor
) -> None:
    store.unlink()
    editor.does("assert '# [profiles.work]' in copy.read_text()")
    assert run("edit").out == "nothing changed\n"
    assert not store.exists()
    editor.writes(NEW)
    assert run("edit").status == 0
    assert store.read_text() == NEW
    if os.name != "nt":
        assert store.stat().st_mode & 0o777 == 0o600


def test_what_somebody_wrote_meanwhile_stays_and_the_copy_is_kept(
    run: Run, home: Path, store: Path, editor: Editor
) -> None:
    editor.does(f"copy.write_text({NEW!r}); Path({str(store)!r}).write_text('# theirs')")
    told = run("edit")
    assert told.status == 75
    assert store.read_text() == "# theirs"
    (copy,) = copies(home)
    assert copy.read_text() == NEW
    assert str(copy) in told.err


def test_an_editor_that_fails_changes_nothing(run: Run, home: Path, store: Path, editor: Editor) -> None:
    editor.does("sys.exit(3)")
    told = run("edit")
    assert (told.status, copies(home)) == (1, [])
    assert "the editor failed with exit status 3" in told.err
    editor.does(f"copy.write_text({NEW!r}); sys.exit(1)")
    told = run("edit")
    (copy,) = copies(home)
    assert f"what you wrote is kept in {copy}" in told.err
    assert copy.read_text() == NEW
    assert store.read_text() == STORE


EDITORS = {
    "no such program": ("no-such-editor --wait", 66, "there is no editor 'no-such-editor'"),
    "a mark that is not closed": ("vi 'x", 2, "does not name an editor"),
    "blanks": ("  ", 2, "does not name an editor"),
}


@pytest.mark.parametrize("case", EDITORS.values(), ids=EDITORS)
def test_an_editor_that_is_none(
    run: Run, home: Path, case: tuple[str, int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, status, message = case
    monkeypatch.setenv("VISUAL", line)
    monkeypatch.setenv("EDITOR", "true")
    before = tree(home)
    told = run("edit")
    assert told.status == status
    assert message in told.err
    assert tree(home) == before


def test_visual_wins(run: Run, store: Path, editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    editor.writes(NEW)
    monkeypatch.setenv("VISUAL", os.environ["EDITOR"])
    monkeypatch.setenv("EDITOR", "no-such-editor")
    assert run("edit").status == 0
    monkeypatch.setenv("VISUAL", "")
    assert run("edit").status == 66
    assert store.read_text() == NEW


def test_a_name_is_where_to_begin(run: Run, editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("edit nobody").status == 66
    for name, expected in (("nano", "['+9']"), ("other", "[]")):
        program = editor.folder / name
        program.write_text(
            f"#!{sys.executable}\nimport sys\nopen({str(editor.log)!r}, 'a').write(str(sys.argv[1:-1]))"
        )
        program.chmod(0o755)
        monkeypatch.setenv("EDITOR", shlex.quote(str(program)))
        editor.log.write_text("")
        assert run("edit home").status == 0
        assert editor.calls == [expected]


@pytest.mark.once
@posix
def test_a_real_vi_begins_at_the_profile(
    run: Run, store: Path, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    vim = require_tool("vim")
    script = editor.folder / "vimrc"
    script.write_text("autocmd VimEnter * execute 'normal! o# here' | x\n")
    monkeypatch.setenv("EDITOR", f"{vim} -es -u {shlex.quote(str(script))}")
    assert run("edit home").status == 0
    text = store.read_text()
    assert text.replace("# here\n", "") == STORE
    assert text.index("# here") == text.index("[profiles.home]") + len("[profiles.home]\n")


# ---- at a terminal


def at_terminal(home: Path, line: str, *answers: str, seconds: float = 20) -> tuple[int, str]:
    """Run the program with a terminal as standard input; the exit status, and all that it says."""
    import pty

    master, slave = pty.openpty()
    try:
        command = [sys.executable, "-m", "kimi_profiles", "--home", str(home), "--store"]
        process = subprocess.Popen(
            [*command, str(home / "profiles.toml"), *shlex.split(line)],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        os.write(master, "".join(f"{answer}\n" for answer in answers).encode() or b"\x04")
        out, _ = process.communicate(timeout=seconds)
        return process.returncode, out.decode()
    finally:
        os.close(master)
        os.close(slave)


@posix
def test_at_a_terminal_one_can_go_back_to_what_is_invalid(home: Path, store: Path, editor: Editor) -> None:
    editor.writes(WRONG, NEW)
    status, out = at_terminal(home, "edit", "what?", "e")
    assert (status, len(editor.calls)) == (0, 2)
    assert "profiles.toml:6:1: there is no provider 'nowhere'" in out
    assert out.count("edit again (e), or discard what you wrote (d)? ") == 2
    assert store.read_text() == NEW


@posix
def test_or_discard_it(home: Path, store: Path, editor: Editor) -> None:
    editor.writes(WRONG)
    status, out = at_terminal(home, "edit", "d")
    assert status == 0
    assert "nothing changed" in out
    assert store.read_text() == STORE
    assert copies(home) == []


@posix
def test_or_hang_up(home: Path, store: Path, editor: Editor) -> None:
    editor.writes(WRONG)
    status, out = at_terminal(home, "edit")
    assert status == 78
    assert f"kept in {copies(home)[0]}" in out
    assert store.read_text() == STORE


@posix
@pytest.mark.once
def test_an_interrupt_is_the_editors(home: Path, store: Path, editor: Editor) -> None:
    """Ctrl-C reaches both; the editor goes on, and so do we."""
    editor.does(
        "import signal, time; signal.signal(signal.SIGINT, lambda *_: None); "
        f"copy.with_name('ready').touch(); time.sleep(0.5); copy.write_text({NEW!r})"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "kimi_profiles", "--home", str(home), "--store", str(store), "edit"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    wait_for_editor(home)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 0
    assert store.read_text() == NEW


@posix
@pytest.mark.once
@pytest.mark.parametrize("is_changed", [True, False])
@pytest.mark.parametrize("options", ["", "--json"])
def test_after_a_signal_it_is_told_where_the_copy_is(
    home: Path, store: Path, editor: Editor, options: str, *, is_changed: bool
) -> None:
    wrote = f"copy.write_text({NEW!r}); " if is_changed else ""
    editor.does(f"import time; {wrote}copy.with_name('ready').touch(); time.sleep(20)")
    words = [*options.split(), "--home", str(home), "--store", str(store), "edit"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-m", "kimi_profiles", *words], stdout=pipe, stderr=pipe, text=True
    ) as process:
        wait_for_editor(home)
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert out.startswith("{" if options else "")
    if is_changed:
        (copy,) = copies(home)
        assert copy.read_text() == NEW
        assert err.count(f"what you wrote is kept in {copy}\n") == 1
    else:
        assert copies(home) == []
        assert "kept" not in err
    assert store.read_text() == STORE


def wait_for_editor(home: Path) -> None:
    deadline = time.monotonic() + 20
    while not list(home.rglob("edit-*/ready")):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@posix
@pytest.mark.parametrize("answer", ["moonshot-cn", "by number"])
def test_add_asks_for_the_provider_and_nothing_else(home: Path, store: Path, answer: str) -> None:
    if answer == "by number":
        _, out = at_terminal(home, "add other", "nonsense")
        answer = next(line.split()[0] for line in out.splitlines() if "moonshot-cn" in line.split())
    status, out = at_terminal(home, "add new", answer)
    assert status == 0
    assert out.count("provider, by number or name: ") == 1
    assert store.read_text() == STORE + '\n[profiles.new]\nprovider = "moonshot-cn"\n'


@posix
@pytest.mark.parametrize("answers", [("0",), ("nobody",), ()], ids=str)
def test_another_answer_adds_nothing(home: Path, store: Path, answers: tuple[str, ...]) -> None:
    status, out = at_terminal(home, "add new", *answers)
    assert status == 2
    assert "provider" in out
    assert store.read_text() == STORE


@posix
def test_scripts_are_not_asked_even_at_a_terminal(home: Path) -> None:
    status, out = at_terminal(home, "add new --json", "1")
    assert (status, "by number" in out) == (2, False)
