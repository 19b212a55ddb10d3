"""The guide is a story: each of its blocks is run, in order, in one shell and one new home."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest
from pages import KEY, Block, blocks, settled, shell
from support import ROOT, require_tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once
GUIDE = ROOT / "docs" / "guide.md"
STORE = "~/.config/kimi-profiles/profiles.toml"
# What is not run, by how the block begins, and why.
NOT_RUN = {
    "pip install": ".ci/wheel installs the package",
    "kimi-profiles env work --shell powershell": "needs PowerShell, which tests/shells runs",
}
# Claude Code, as far as the guide goes: it says what it was started with.
CLIENT = """#!/bin/sh
echo "$* [${ANTHROPIC_BASE_URL-no address}]" >> "$HOME/started"
"""
SECOND_KEY = "sk-test-fedcba9876543210"
MARK = "\x1e"


def is_run(block: Block) -> bool:
    return not any(block.text.startswith(start) for start in NOT_RUN)


def as_script(block: Block) -> str:
    """What to do with one block; what it prints is compared afterwards."""
    text = block.text.replace("sk-…", KEY)
    if block.language == "toml":
        return f"cat {STORE}"
    if block.language == "console":
        (command, *_) = text.splitlines()
        return command.removeprefix("$ ")
    if block.language == "fish":
        # Its status is that of the last question that the code asks of fish; a fault is told in words.
        return f"{require_tool('fish')} --no-config -c {shlex.quote(text)} || :"
    assert block.language == "sh"
    # `plan --exit-code` says 4 where there is something to change, which is no fault of the story.
    return re.sub(r"^(.* --exit-code)$", r"\1 || [ $? -eq 4 ]", text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Block, str]]:
    """The home after the whole guide, and what each block printed."""
    home, programs = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("bin")
    (programs / "2.1.329").write_text(CLIENT)  # is named for its version, so nobody starts it to ask
    (programs / "2.1.329").chmod(0o755)
    (programs / "claude").symlink_to("2.1.329")
    played = [block for block in blocks(GUIDE) if is_run(block)]
    script = [f"export HOME={shlex.quote(str(home))} EDITOR=true; cd; exec 2>&1"]
    script += [f"unset {' '.join(name for name in ('XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_CACHE_HOME'))}"]
    for block in played:
        script += [f"printf '{MARK}{block.line}\\n'", as_script(block)]
    said = shell("\n".join(script), standard_input=f"{SECOND_KEY}\n", path=programs)
    told = dict(part.partition("\n")[::2] for part in said.split(MARK)[1:])
    return home, {block: told[str(block.line)] for block in played}


def test_what_is_not_run_is_there_and_has_a_reason() -> None:
    left_out = [block.text for block in blocks(GUIDE) if not is_run(block)]
    assert [sum(text.startswith(start) for text in left_out) for start in NOT_RUN] == [1] * len(NOT_RUN)


SHOWN = [block for block in blocks(GUIDE) if block.language in {"console", "toml"}]


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: block.text.splitlines()[0])
def test_what_is_shown_is_what_is_printed(story: tuple[Path, dict[Block, str]], block: Block) -> None:
    shown = block.text if block.language == "toml" else block.text.partition("\n")[2]
    assert settled(story[1][block]) == settled(shown)


def test_fish_has_nothing_to_say(story: tuple[Path, dict[Block, str]]) -> None:
    assert [said for block, said in story[1].items() if block.language == "fish"] == [""]


def test_nothing_that_is_printed_shows_a_key(story: tuple[Path, dict[Block, str]]) -> None:
    said = "".join(story[1].values())
    assert "moonshot-cn is applied" in said
    assert KEY not in said
    assert SECOND_KEY not in said


def test_each_start_of_claude_gets_the_profile_that_the_guide_says(
    story: tuple[Path, dict[Block, str]],
) -> None:
    home, _ = story
    cn, intl = "[https://api.moonshot.cn/anthropic]", "[https://api.moonshot.ai/anthropic]"
    run = r"--settings \S+/kimi-profiles/run/\w+/settings.json"
    expected = [
        re.escape(" [no address]"),
        f"{run} {re.escape(cn)}",
        f"{run} -p say hello {re.escape(intl)}",
        re.escape(f"-p say hello {cn}"),
    ]
    started = (home / "started").read_text().splitlines()
    assert len(started) == len(expected)
    for line, pattern in zip(started, expected, strict=True):
        assert re.fullmatch(pattern, line), line


def test_after_the_guide_no_file_of_claude_code_holds_a_key(story: tuple[Path, dict[Block, str]]) -> None:
    home, _ = story
    assert json.loads((home / "status.json").read_text())["applied"]["profile"] == "moonshot-cn"
    holders = [
        path.relative_to(home).as_posix()
        for path in home.rglob("*")
        if path.is_file() and any(key.encode() in path.read_bytes() for key in (KEY, SECOND_KEY))
    ]
    assert holders == [".secrets/moonshot-intl"]
    assert not (home / ".claude" / "settings.json").exists()
    assert (
        json.loads((home / "managed-settings.json").read_text())["apiKeyHelper"]
        == "kimi-profiles token work --for https://api.moonshot.cn/anthropic"
    )
