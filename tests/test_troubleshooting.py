"""What the page says against a message works: the fault is made, its commands are run, the fault is gone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pages import KEY, blocks, read, shell
from support import ROOT

from kimi_profiles import errors
from kimi_profiles.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.once
PAGE = ROOT / "docs" / "troubleshooting.md"
KIMI_CODE_KEY = "sk-kimi-test-0123456789abcdef"
CN = "https://api.moonshot.cn/anthropic"
# Why a command of the page is not run.
NOT_RUN = {"kimi-profiles doctor --online": "asks the endpoint; tests/unit/test_online.py has one of its own"}
# Settings as guides have them, and nothing wrong but what a case adds.
BY_HAND = {
    "ANTHROPIC_BASE_URL": CN,
    "ANTHROPIC_AUTH_TOKEN": KEY,
    "ANTHROPIC_MODEL": "kimi-k2.7-code",
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "kimi-k2.7-code",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "kimi-k2.7-code",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "kimi-k2.7-code",
    "ANTHROPIC_DEFAULT_FABLE_MODEL": "kimi-k2.7-code",
    "CLAUDE_CODE_SUBAGENT_MODEL": "kimi-k2.7-code",
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "262144",
    "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "262144",
    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
}


@dataclass(frozen=True)
class Fault:
    """A home in which the message comes.

    Attributes:
        finding: What ``doctor`` calls it; ``None`` where it cannot tell.
        env: Changes to the settings; ``None`` takes a variable out.
        state: Changes to the state file.
        exported: By the shell.
        after: Variables that the settings have to say afterwards.
    """

    finding: str | None
    env: Mapping[str, str | None] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    exported: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)


LOGIN = {"primaryApiKey": "sk-ant-test-a-console-login"}
FAULTS = {
    "401: the key is one of the other region": Fault(
        None, after={"ANTHROPIC_BASE_URL": "https://api.moonshot.ai/anthropic"}
    ),
    "401: the key is one of Kimi Code": Fault(
        "key-elsewhere",
        {"ANTHROPIC_AUTH_TOKEN": KIMI_CODE_KEY},
        after={"ANTHROPIC_BASE_URL": "https://api.kimi.com/coding/"},
    ),
    "401 or 404: the base URL ends in /v1": Fault("base-url-invalid", {"ANTHROPIC_BASE_URL": f"{CN}/v1"}),
    "404: the model": Fault("model-retired", {"ANTHROPIC_MODEL": "kimi-k2-0711-preview"}),
    "400: tool_search, tool_reference": Fault(None, after={"ENABLE_TOOL_SEARCH": "false"}),
    "Auth conflict: both are set": Fault("console-login", state=LOGIN),
    "Auth conflict: both are set, and the key is ANTHROPIC_API_KEY": Fault(
        "both-credentials", exported={"ANTHROPIC_API_KEY": "sk-test-a-key-of-the-shell"}
    ),
    "Unable to connect to Anthropic services": Fault(
        "onboarding-missing", state={"hasCompletedOnboarding": False}
    ),
    "Select login method, in spite of the settings": Fault(
        "onboarding-missing", state={"hasCompletedOnboarding": False}
    ),
    "Not logged in · Please run /login": Fault("nothing-sent", {"ANTHROPIC_AUTH_TOKEN": None}),
    "Detected a custom API key in your environment": Fault(
        "key-not-approved",
        {
            "ANTHROPIC_BASE_URL": "https://api.kimi.com/coding/",
            "ANTHROPIC_AUTH_TOKEN": None,
            "ANTHROPIC_API_KEY": KIMI_CODE_KEY,
        },
    ),
    'Compacted too late, or "prompt is too long"': Fault(
        "context-window-missing",
        {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": None, "CLAUDE_CODE_AUTO_COMPACT_WINDOW": None},
    ),
    "Each request costs the full price": Fault(
        "prompt-cache-defeated", {"CLAUDE_CODE_ATTRIBUTION_HEADER": None}
    ),
}
# Sections whose commands are for a home without a fault, or are not ours.
OTHERS = {
    "Troubleshooting": "the way to everything else",
    "Auth conflict: Using ANTHROPIC_API_KEY instead of Anthropic Console key": "the shell's own command",
}


def sections() -> dict[str, str]:
    """Heading → the text below it."""
    parts = re.split(r"^#+ (.*)\n", read(PAGE), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def typed(section: str) -> str:
    """The commands of one section."""
    text = sections()[section]
    lines = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    kept = [line for line in lines.splitlines() if line not in NOT_RUN]
    return "\n".join(kept).replace("sk-kimi-…", KIMI_CODE_KEY)


Findings = Callable[[Fault], dict[str, str]]


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Findings:
    """What ``doctor`` finds: name → severity."""

    def found(fault: Fault) -> dict[str, str]:
        with monkeypatch.context() as patch:
            patch.setenv("PATH", f"{Path.home() / 'bin'}{os.pathsep}{os.environ['PATH']}")
            patch.chdir(Path.home())
            for name, value in fault.exported.items():
                patch.setenv(name, value)
            assert main(["doctor", "--json"]) in {0, 4}
        answer = json.loads(capsys.readouterr().out)
        return {finding["name"]: finding["severity"] for finding in answer["findings"]}

    return found


def settings() -> dict[str, str]:
    text = (Path.home() / ".claude" / "settings.json").read_text(encoding="utf-8")
    return dict(json.loads(text)["env"])


def make(fault: Fault) -> None:
    home = Path.home()
    (home / "bin").mkdir()
    (home / "bin" / "2.1.329").touch(mode=0o755)
    (home / "bin" / "claude").symlink_to("2.1.329")
    env = {name: value for name, value in {**BY_HAND, **fault.env}.items() if value is not None}
    state = {"hasCompletedOnboarding": True, **fault.state}
    (home / ".claude").mkdir()
    for path, document in {
        home / ".claude" / "settings.json": {"env": env},
        home / ".claude.json": state,
    }.items():
        path.write_text(json.dumps(document), encoding="utf-8")
        path.chmod(0o600)


def test_every_section_with_commands_is_tried() -> None:
    with_commands = {section for section in sections() if typed(section)}
    assert with_commands == FAULTS.keys() | OTHERS.keys()
    assert all(any(line in text for text in sections().values()) for line in NOT_RUN)


@pytest.mark.parametrize("section", FAULTS)
def test_the_fault_is_found_and_gone_after_the_commands(findings: Findings, section: str) -> None:
    fault = FAULTS[section]
    make(fault)
    if fault.finding is not None:
        assert f"`{fault.finding}`" in sections()[section]
        assert fault.finding in findings(fault)

    exports = "".join(f"export {name}={value}\n" for name, value in fault.exported.items())
    shell(f"export MOONSHOT_API_KEY={KEY}\n{exports}{typed(section)}", path=Path.home() / "bin")

    left = findings(fault)
    assert fault.finding not in left
    assert "error" not in left.values()
    assert fault.after.items() <= settings().items()


@pytest.mark.skipif(os.name == "nt", reason="modes as POSIX has them")
def test_a_home_with_settings_as_guides_have_them_has_no_fault_by_itself(findings: Findings) -> None:
    make(Fault(None))
    assert findings(Fault(None)) == {}


def test_a_file_with_one_comma_too_many_is_told_with_its_place(findings: Findings) -> None:
    make(Fault(None))
    path = Path.home() / ".claude" / "settings.json"
    path.write_text('{\n  "env": {},\n}\n', encoding="utf-8")
    assert "file-ignored" in findings(Fault(None))
    assert "settings.json:2:12: a comma" in shell("kimi-profiles plan ollama 2>&1 || [ $? -eq 78 ]")


def test_every_error_of_ours_has_a_row_with_its_exit_code() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([\d, ]+) \|", read(PAGE), re.MULTILINE))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {
        kind.name: "130, 143" if kind is errors.InterruptedRunError else str(kind.exit_code)
        for kind in kinds
        if issubclass(kind, errors.ProfilesError)
    }
    assert rows == codes


def test_every_finding_that_is_named_is_one_of_doctors() -> None:
    known = set(re.findall(r"`([a-z-]+)`", read(ROOT / "docs" / "doctor.md")))
    text = " ".join(read(PAGE).split())
    named = re.findall(r"`doctor` (?:says|calls it) ((?:`[a-z-]+`(?:, | or )?)+)", text)
    named = set(re.findall(r"`([a-z-]+)`", " ".join(named)))
    assert len(named) > 10
    assert named - known == set()


def test_no_block_shows_a_key() -> None:
    assert [block for block in blocks(PAGE) if re.search(r"sk-[A-Za-z0-9]{6}", block.text)] == []
