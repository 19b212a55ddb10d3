"""The page: every row, what is missed, what failed, and where somebody else is faster."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING

import pytest
from support import ROOT

from benchmarks import __main__ as command
from benchmarks.cases import GROUPS
from benchmarks.measure import Result, Spread
from benchmarks.others import ACTIONS, OTHERS, OURS
from benchmarks.page import (
    TEMPLATE,
    Report,
    Trial,
    describe_machine,
    faster,
    number,
    page,
    plain,
    results_table,
    traits_table,
    trials_table,
)
from benchmarks.traits import Traits

if TYPE_CHECKING:
    from pathlib import Path

CAREFUL = Traits(("flock",), True, ("file", "folder"), True, True, True, ())
CARELESS = Traits((), False, (), True, False, False, (".claude/settings.json",))
PYTHON, NODE = OTHERS[1], next(tool for tool in OTHERS if tool.registry == "npm")


def result(name: str, ratio: float | None, **more: object) -> Result:
    spread = None if ratio is None else Spread(ratio, ratio - 0.1, ratio + 0.1)
    return Result(name, ratio=spread, against_s=[0.01], **more)  # type: ignore[arg-type]


def trial(tool: object, *ratios: float, traits: Traits | None = CAREFUL) -> Trial:
    results = [result(name, ratio) for name, ratio in zip(ACTIONS, ratios, strict=True)]
    return Trial(tool, results, traits)  # type: ignore[arg-type]


def report(*trials: Trial) -> Report:
    groups = {
        name: [result(f"{name} 1", 2.0), result(f"{name} 2", 4.0)] for name in ("startup", "large", "many")
    }
    return Report("a machine", groups, trials, result("node", 4.0))


def test_the_page_has_every_row() -> None:
    trials = [trial(OURS, 5, 5, 3), *(trial(tool, 6, 6, 4) for tool in OTHERS)]
    text = page(report(*trials))
    for group in ("startup", "large", "many"):
        assert f"| {group} 1 | 2 (1.9 to 2.1) |" in text
        assert f"| {group} 2 | 4 (3.9 to 4.1) |" in text
    for tool in (OURS, *OTHERS):
        assert len(re.findall(rf"^\| \**{tool.name}\b", text, re.MULTILINE)) == 2
        assert not tool.remark or f"* {tool.name}: {tool.remark}." in text
    assert "here 10.0 ms" in text
    assert "`node -e 0`, which takes 4 times that" in text
    assert "$" not in text


def test_a_missed_aim_says_so() -> None:
    rows = results_table("x", [result("met", 2, aim=2), result("not", 2.1, aim=2), result("free", 9)])
    assert [row.split("|")[3].strip() for row in rows.splitlines()[2:]] == ["≤ 2", "≤ 2, missed", ""]
    assert "≤ 2, missed" in results_table(
        "x", [result("a", None, aim=2, failure="exit status 1: no | `way`")]
    )


def test_a_single_pair_has_no_spread() -> None:
    assert "| 2 (one pair) |" in results_table("x", [result("a", 2, jobs_s=[0.02])])


def test_memory_has_a_column_where_it_is_measured() -> None:
    assert "memory" not in results_table("x", [result("a", 2)])
    assert results_table("x", [result("a", 2, memory=3.96)]).endswith("| 4 |")


def test_what_failed_is_told_and_not_left_out() -> None:
    failed = Trial(PYTHON, failure="not installed: no such | version")
    for text in (trials_table([failed]), traits_table([failed])):
        assert f"| {PYTHON.name} {PYTHON.version} (PyPI) |" in text
        assert "`not installed: no such / version`" in text
        assert len({row.count("|") for row in text.splitlines()}) == 1


def test_who_is_faster_is_named_with_what_was_seen() -> None:
    text = faster([trial(OURS, 5, 5, 3), trial(PYTHON, 4, 6, 2, traits=CARELESS)], 4)
    assert (
        f"* {PYTHON.name} switches at 4 (5) and lists at 2 (3). Its switch takes no lock, writes the" in text
    )
    assert "does not keep the layout and leaves the key in a file that others may read." in text
    assert "folder" not in text


def test_nothing_is_said_against_a_switch_that_is_not_faster() -> None:
    text = faster([trial(OURS, 5, 5, 3), trial(PYTHON, 6, 6, 2, traits=CARELESS)], 4)
    assert text.endswith(f"* {PYTHON.name} lists at 2 (3).")


def test_a_start_of_node_is_counted_in_starts_of_python() -> None:
    assert "None was" in faster([trial(OURS, 5, 5, 3), trial(NODE, 2, 2, 2)], 4)
    assert f"{NODE.name} switches at 4 (5)" in faster([trial(OURS, 5, 5, 3), trial(NODE, 2, 2, 2)], 2)


NUMBERS = {0.2449: "0.24", 1.96: "2", 5.02: "5", 5.16: "5.2", 12.34: "12.3", 99.6: "100", 123.4: "123"}


@pytest.mark.parametrize(("value", "text"), NUMBERS.items())
def test_a_number_has_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_message_of_somebody_else_is_harmless() -> None:
    assert plain("\x1b[31ma|b`c`\n d") == "`[31ma/bc d`"


def test_the_machine_is_told_without_its_name() -> None:
    said = describe_machine()
    assert platform.python_version() in said
    assert not re.search(rf"(?<!\w){re.escape(platform.node() or 'no name')}(?!\w)", said)


def test_the_page_of_the_documentation_is_of_this_template_and_these_tools() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    heads = re.findall(r"^#+ .*$", TEMPLATE.read_text(encoding="utf-8"), re.MULTILINE)
    assert re.findall(r"^#+ .*$", text, re.MULTILINE) == heads, "run: make bench"
    for tool in OTHERS:
        assert f"| {tool.name} {tool.version} ({tool.registry}) |" in text, "run: make bench"


def test_a_group_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["startup", "nonsense"])
    assert ended.value.code == 2
    assert "nonsense" in capsys.readouterr().err


def test_a_part_alone_writes_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(GROUPS, "startup", lambda *_: [None])
    monkeypatch.setattr(command, "one", lambda group, case: result("`--version`", 2.5))
    written: list[object] = []
    monkeypatch.setattr(command, "write_values", lambda path, results: written.append(results.keys()))
    monkeypatch.setattr(command, "PAGE", tmp_path / "page.md")
    command.run(["startup"])
    assert not command.PAGE.exists()
    assert "| `--version` | 2.5 (2.4 to 2.6) |" in capsys.readouterr().out
    assert written == [{"startup"}]


def test_a_whole_run_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for group in GROUPS:
        monkeypatch.setitem(GROUPS, group, lambda *_: [None])
    monkeypatch.setattr(command, "one", lambda group, case: result(f"a case of {group}", 2.5))
    monkeypatch.setattr(command, "trial", lambda tool, *_: trial(tool, 5, 5, 3))
    monkeypatch.setattr(command, "write_values", lambda path, results: None)
    monkeypatch.setattr(command, "PAGE", tmp_path / "page.md")
    command.run([*GROUPS, "others"])
    text = command.PAGE.read_text(encoding="utf-8")
    assert [f"| a case of {group} | 2.5 (2.4 to 2.6) |" in text for group in GROUPS] == [True] * 3
    assert text.count(OTHERS[-1].version) == 2
