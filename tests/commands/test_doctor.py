"""The doctor at work: what people and scripts read, what it asks online, and that it changes nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from commands.conftest import Told, tree
from unit.online_server import Server, reply
from unit.test_doctor import (
    CANARY,
    CN,
    LEDGER,
    LOCAL,
    OTHER,
    PROFILES,
    PROJECT,
    SETTINGS,
    STATE,
    STORE,
    TOKEN,
    World,
    world,
)

from kimi_profiles import online
from kimi_profiles.cli import main
from kimi_profiles.online import Balance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes, links and rc files as POSIX has them")

__all__ = ["world"]

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
ODD = "\x1b[31mred\x07 a\u202eb \x9b2J\r\nnext"
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
FINE = reply(200, MESSAGE)


@pytest.fixture
def run(world: World, capsys: pytest.CaptureFixture[str]) -> Callable[[str], Told]:
    """Run one command line in that home."""

    def told(line: str) -> Told:
        status = main(shlex.split(line))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Told(status, out, err)

    return told


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], Server]]:
    with contextlib.ExitStack() as stack:

        def start(script: bytes = FINE) -> Server:
            server = Server(script)
            stack.callback(server.stop)
            return server

        yield start


def served(world: World, server: Server, profile: str = "key") -> None:
    """Apply a profile whose endpoint is that server."""
    url = f"http://127.0.0.1:{server.port}/anthropic"
    text = STORE.replace("http://127.0.0.1:9/anthropic", url).replace(
        '[profiles.helped]\nprovider = "moonshot-cn"', f'[profiles.helped]\nbase_url = "{url}"'
    )
    world.write(PROFILES, text + '[profiles.helped.models]\ndefault = "kimi-k2.7-code"\n')
    world.apply(profile)


def messy(world: World) -> None:
    """Something of everything."""
    world.apply()
    world.write("~/.zshrc", f"export ANTHROPIC_API_KEY={OTHER}\n")
    world.shell(ANTHROPIC_API_KEY=OTHER)
    world.env(LOCAL, ANTHROPIC_BASE_URL=f"{CN}/v1", ANTHROPIC_API_KEY=OTHER, ANTHROPIC_MODEL="kimi-k2.5")
    world.path(LOCAL).chmod(0o644)
    world.write(PROJECT, "{")


# ---- for people


def test_a_home_in_order_takes_one_line(world: World, run: Callable[[str], Told]) -> None:
    assert run("doctor") == Told(
        0,
        "nothing wrong: no profile is applied, and there is no credential: Claude Code asks to log in\n",
        "",
    )
    world.apply()
    told = run("doctor")
    what = "kimi-k2.7-code at api.moonshot.cn, with ANTHROPIC_AUTH_TOKEN from ~/.claude/settings.json:4"
    assert told == Told(0, f"nothing wrong: {what}\n", "")
    world.client(None)
    rules = "by the rules of Claude Code 2.1.329; none was found here"
    assert run("doctor") == Told(0, f"nothing wrong: {what} ({rules})\n", "")
    world.client("2.1.200")
    assert run("doctor").out == f"nothing wrong: {what} (by the rules of Claude Code 2.1.329)\n"


def test_findings_come_worst_first_with_place_and_command(world: World, run: Callable[[str], Told]) -> None:
    world.env(ANTHROPIC_API_KEY=None, ANTHROPIC_MODEL="kimi-k2.5", CLAUDE_CODE_ATTRIBUTION_HEADER=None)
    world.path(SETTINGS).chmod(0o644)
    assert run("doctor") == Told(
        4,
        f"""\
error    readable-by-others  ~/.claude/settings.json
         what is in here is secret, and others can read it (mode 0644)
         chmod 600 {world.home}/.claude/settings.json

warning  model-legacy  ~/.claude/settings.json:5
         kimi-k2.5 is no longer listed by its provider; use kimi-k2.7-code

info     prompt-cache-defeated  ~/.claude/settings.json:3
         without CLAUDE_CODE_ATTRIBUTION_HEADER=0 no prompt cache of api.moonshot.cn ever hits

1 error, 1 warning
""",
        "",
    )


def test_what_is_just_worth_knowing_is_nothing_wrong(world: World, run: Callable[[str], Told]) -> None:
    world.apply()
    world.shell(HTTPS_PROXY="http://proxy.example:3128")
    told = run("doctor")
    assert told.status == 0
    assert told.out.startswith("info ")
    assert told.out.splitlines()[-1].startswith("nothing wrong: kimi-k2.7-code at api.moonshot.cn")


def test_on_a_narrow_terminal_words_are_wrapped_and_commands_are_not(
    world: World, run: Callable[[str], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    messy(world)
    plain = run("doctor --color never").out
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    narrow = run("doctor --color never").out
    commands = [line for line in plain.splitlines() if line.startswith("         kimi-profiles apply")]
    assert any(len(line) > 60 for line in commands)
    assert set(commands) <= set(narrow.splitlines())
    words = [line for line in narrow.splitlines() if not re.match(r" +(kimi-profiles|chmod|~/)", line)]
    assert max(map(len, words)) <= 60
    assert narrow.split() == plain.split()
    assert "\n\n\n" not in narrow


def test_the_one_line_is_wrapped_too(
    world: World, run: Callable[[str], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.apply()
    plain = run("doctor").out
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    narrow = run("doctor --color never").out
    assert max(map(len, narrow.splitlines())) <= 60
    assert narrow.split() == plain.split()


def test_colour_changes_nothing_but_the_colour(world: World, run: Callable[[str], Told]) -> None:
    messy(world)
    plain, colored = run("doctor").out, run("doctor --color always").out
    assert "\x1b[1;31merror" in colored
    assert "\x1b" not in plain
    assert ESCAPE.sub("", colored) == plain
    world.shell(NO_COLOR="1", FORCE_COLOR="1")
    assert run("doctor").out == plain


def test_quiet_says_it_by_the_exit_status_alone(world: World, run: Callable[[str], Told]) -> None:
    assert run("doctor --quiet") == Told(0, "", "")
    messy(world)
    assert run("doctor --quiet") == Told(4, "", "")


# ---- for scripts


def test_json_is_one_object_of_the_promised_shape(world: World, run: Callable[[str], Told]) -> None:
    messy(world)
    told = run("doctor --json")
    answer = told.json
    assert (told.status, told.err) == (4, "")
    assert {key: answer[key] for key in ("schema", "ok", "command", "scope", "profile", "exit_code")} == {
        "schema": 1,
        "ok": True,
        "command": "doctor",
        "scope": "user",
        "profile": "work",
        "exit_code": 4,
    }
    assert answer["client"]["rules"] == "2.1.329"
    assert answer["online"] is None
    for finding in answer["findings"]:
        assert list(finding) == ["name", "severity", "message", "place", "remedy"]
        assert finding["severity"] in {"error", "warning", "info"}
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", finding["name"])
        assert isinstance(finding["message"], str)
        assert all(isinstance(finding[key], str | None) for key in ("place", "remedy"))
    by_name = {finding["name"]: finding for finding in answer["findings"]}
    assert by_name["shell-api-key"]["place"] == "~/.zshrc:1"
    assert by_name["file-ignored"]["place"] == "~/proj/.claude/settings.json:1"


def test_json_of_a_home_in_order(world: World, run: Callable[[str], Told]) -> None:
    world.apply()
    told = run("doctor --json")
    assert (told.status, told.json["findings"], told.json["exit_code"]) == (0, [], 0)
    world.client(None)
    told = run("doctor --json")
    assert [(each["name"], each["severity"]) for each in told.json["findings"]] == [
        ("client-missing", "info")
    ]
    assert told.status == 0


def test_warnings_alone_are_no_failure(world: World, run: Callable[[str], Told]) -> None:
    world.env(ANTHROPIC_MODEL="kimi-k2.5")
    told = run("doctor --json")
    assert (told.status, [each["severity"] for each in told.json["findings"]]) == (0, ["warning"])


def test_options_for_what_if(world: World, run: Callable[[str], Told]) -> None:
    world.apply()
    world.env("~/flag.json", ANTHROPIC_BASE_URL="http://gateway.example")
    assert run("doctor --json").json["findings"] == []
    told = run(f"doctor --json --flag-settings {world.home}/flag.json")
    assert {"stronger-layer", "base-url-invalid"} <= {each["name"] for each in told.json["findings"]}
    assert run("doctor --flag-settings /nowhere/at/all").status == 66
    assert run("doctor --flag-settings ''").status == 2


# ---- nothing is changed, nothing is run, nothing leaks


SCENES: dict[str, Callable[[World], object]] = {
    "nothing applied": lambda _: None,
    "applied": lambda world: world.apply(),
    "something of everything": messy,
    "all broken": lambda world: [
        world.write(name, "{") for name in (SETTINGS, STATE, LOCAL, PROFILES, LEDGER)
    ],
}


@pytest.mark.parametrize(
    "line", ["status", "status --json", "doctor", "doctor --json", "doctor --json --online"]
)
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_nothing_is_written(
    scene: Callable[[World], object],
    line: str,
    world: World,
    run: Callable[[str], Told],
    serve: Callable[[], Server],
) -> None:
    server = serve()
    scene(world)
    if "--online" in line and scene is SCENES["applied"]:
        served(world, server)
    world.write("~/proj/.git/config", "")
    (world.home / ".cache").mkdir(exist_ok=True)
    before = tree(world.home), world.home.stat().st_mtime_ns
    assert run(line).status in {0, 4, 78}
    assert (tree(world.home), world.home.stat().st_mtime_ns) == before
    assert len(server.asked) == int("--online" in line and scene is SCENES["applied"])


@pytest.mark.parametrize("options", ["", "--online"])
def test_no_helper_and_no_token_command_is_run(
    options: str, world: World, run: Callable[[str], Told], serve: Callable[[], Server]
) -> None:
    server, trace = serve(), world.home / "trace"
    program = world.write("~/bin/get-key", f"#!/bin/sh\necho ran >>'{trace}'\necho {OTHER}\n", 0o755)
    url = f"http://127.0.0.1:{server.port}/anthropic"
    world.write(
        PROFILES,
        f'[profiles.run]\nbase_url = "{url}"\nmodels.default = "m"\n'
        f'auth = {{ delivery = "helper", token = {{ command = ["{program}"] }} }}\n',
    )
    world.apply("run")
    told = run(f"doctor --json {options}")
    world.settings({"env": {"ANTHROPIC_BASE_URL": url}, "apiKeyHelper": str(program)})
    told = run(f"doctor --json {options}")
    assert not trace.exists()
    assert server.connections == 0
    if options:
        (finding,) = (each for each in told.json["findings"] if each["name"].startswith("online-"))
        assert finding["name"] == "online-not-asked"
        assert "helper" in finding["message"]


@pytest.mark.parametrize(
    "line", ["doctor", "doctor --json", "doctor --color always", "doctor --online --json"]
)
def test_no_secret_is_said(
    line: str, world: World, run: Callable[[str], Told], serve: Callable[[bytes], Server]
) -> None:
    """Not even by a server that says back what it was told."""
    words = f"no such key {CANARY} or Bearer {CANARY}"
    server = serve(reply(401, {"error": {"type": "authentication_error", "message": words}}))
    url = f"http://127.0.0.1:{server.port}/anthropic"
    world.settings({"env": {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": CANARY}})
    world.shell(WORK_KEY=CANARY)
    world.write("~/.bashrc", f"export ANTHROPIC_API_KEY={CANARY}\n")
    told = run(line)
    assert CANARY[4:18] not in told.out + told.err
    assert len(server.asked) == int("--online" in line)
    world.state({"primaryApiKey": f"{CANARY}x"})
    world.env(LOCAL, ANTHROPIC_API_KEY=f"{CANARY}y", ANTHROPIC_MODEL=f"{CANARY}z")
    world.write(PROJECT, f'{{"{CANARY}": {CANARY}')
    told = run(line)
    assert CANARY[4:18] not in told.out + told.err
    assert told.status == 4


def test_names_and_values_cannot_steer_the_terminal(world: World, run: Callable[[str], Told]) -> None:
    world.apply()
    ledger = json.loads(world.path(LEDGER).read_text())
    for application in ledger["applications"].values():
        application["profile"] = ODD
    ledger["applications"][f"/nowhere/{ODD}/settings.json"] = {**application, "scope": ODD}
    ledger["pending"] = [f"/nowhere/{ODD}"]
    world.write(LEDGER, json.dumps(ledger))
    world.env(
        LOCAL, ANTHROPIC_MODEL=ODD, ANTHROPIC_BASE_URL=f"https://x.example/{ODD}", ANTHROPIC_API_KEY=ODD
    )
    world.write(f"~/.claude/.{ODD}.0123abcd.kimi-profiles".replace("\n", ""), "")
    told = run("doctor")
    assert told.status == 4
    assert not any(char in told.out for char in "\x1b\x07\u202e\x9b\r")
    assert all(line == "" or line[0].isalnum() or line.startswith(" " * 9) for line in told.out.splitlines())
    findings = run("doctor --json").json["findings"]
    assert {"profile-gone", "run-interrupted", "applied-file-gone", "leftover-file"} <= {
        each["name"] for each in findings
    }
    assert not any(ODD[:5] in (each["remedy"] or "") for each in findings)


# ---- online


def online_findings(told: Told) -> list[dict[str, Any]]:
    return [each for each in told.json["findings"] if each["name"].startswith("online-")]


def test_online_asks_once_with_what_claude_code_would_send(
    world: World, run: Callable[[str], Told], serve: Callable[[], Server]
) -> None:
    server = serve()
    served(world, server)
    told = run("doctor --json --online")
    assert told.status == 0
    (finding,) = online_findings(told)
    assert (finding["name"], finding["severity"]) == ("online-fine", "info")
    assert re.search(r"127\.0\.0\.1 answered .* \(\d+\.\d s\)", finding["message"])
    (asked,) = server.asked
    assert asked.target == "/anthropic/v1/messages"
    assert asked.headers["x-api-key"] == TOKEN
    assert "authorization" not in asked.headers
    assert (asked.document["model"], asked.document["max_tokens"]) == ("kimi-k2.7-code", 1)
    facts = told.json["online"]
    assert (facts["name"], facts["status"], facts["balance"]) == ("fine", 200, None)
    assert 0 <= facts["seconds"] < 20
    assert run("doctor --online").out.startswith("info     online-fine")


def test_online_gives_the_token_that_our_own_helper_would_give(
    world: World, run: Callable[[str], Told], serve: Callable[[], Server]
) -> None:
    server = serve()
    served(world, server, "helped")
    assert run("doctor --json --online").status == 0
    (asked,) = server.asked
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["x-api-key"] == TOKEN
    settings = json.loads(world.path(SETTINGS).read_text())
    world.settings({**settings, "apiKeyHelper": "/bin/sh -c true"})
    assert [each["name"] for each in online_findings(run("doctor --json --online"))] == ["online-not-asked"]
    assert len(server.asked) == 1


def test_online_sends_the_users_own_headers(
    world: World, run: Callable[[str], Told], serve: Callable[[], Server]
) -> None:
    server = serve()
    url = f"http://127.0.0.1:{server.port}"
    headers = "X-Team: seven\nnonsense\nCookie: a=own-abcdefgh"
    world.env(ANTHROPIC_BASE_URL=url, ANTHROPIC_CUSTOM_HEADERS=headers, ANTHROPIC_MODEL=None)
    run("doctor --online --quiet")
    (asked,) = server.asked
    assert (asked.headers["x-team"], asked.headers["cookie"]) == ("seven", "a=own-abcdefgh")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"


ANSWERS = {
    "a wrong key": (reply(401, {"error": {"type": "authentication_error"}}), "error key-rejected", "the key"),
    "no money": (reply(402), "error balance-used-up", "used up"),
    "a wrong path": (reply(404), "error path-unknown", "no Messages API at this path"),
    "too many requests": (reply(429, retry_after="7"), "warning rate-limited", "7 s"),
    "its own trouble": (reply(500), "warning endpoint-failed", "later"),
    "something else": (reply(200, {"hello": 1}), "error not-anthropic", "not as the Messages API does"),
}


@pytest.mark.parametrize("case", ANSWERS.values(), ids=ANSWERS)
def test_online_explains_the_answer(
    case: tuple[bytes, str, str], world: World, run: Callable[[str], Told], serve: Callable[[bytes], Server]
) -> None:
    script, expected, words = case
    server = serve(script)
    served(world, server)
    told = run("doctor --json --online")
    (finding,) = online_findings(told)
    severity, name = expected.split()
    assert (finding["name"], finding["severity"]) == (f"online-{name}", severity)
    assert told.status == (4 if severity == "error" else 0)
    assert words in finding["message"]
    assert len(server.asked) == 1


def test_an_endpoint_that_cannot_be_reached_has_an_exit_status_of_its_own(
    world: World, run: Callable[[str], Told], serve: Callable[[], Server]
) -> None:
    server = serve()
    served(world, server)
    server.stop()
    told = run("doctor --json --online")
    assert (told.status, told.json["exit_code"], told.json["ok"]) == (69, 69, False)
    (finding,) = online_findings(told)
    assert (finding["name"], finding["severity"]) == ("online-refused", "error")
    assert told.json["error"]["name"] == "endpoint-unreachable"
    assert told.json["error"]["message"] == finding["message"]
    told = run("doctor --online")
    assert told.status == 69
    assert told.out.startswith("error    online-refused\n")


LEAKS: dict[str, tuple[Callable[[World, str], object], str]] = {
    "two credentials": (
        lambda world, url: world.env(ANTHROPIC_BASE_URL=url, ANTHROPIC_API_KEY=OTHER),
        "both-credentials",
    ),
    "a Console login": (
        lambda world, url: (world.env(ANTHROPIC_BASE_URL=url), world.state({"primaryApiKey": OTHER})),
        "console-login",
    ),
    "a login": (
        lambda world, url: (
            world.env(ANTHROPIC_BASE_URL=url, ANTHROPIC_AUTH_TOKEN=None),
            world.settings(
                {"claudeAiOauth": {"accessToken": "sk-ant-oat-test", "scopes": ["user:inference"]}},
                "~/.claude/.credentials.json",
            ),
        ),
        "login-token-sent",
    ),
    "a key for another endpoint": (
        lambda world, url: (world.env(), world.env(LOCAL, ANTHROPIC_BASE_URL=url)),
        "key-for-other-endpoint",
    ),
    "an endpoint that somebody changed": (
        lambda world, url: (
            world.apply("key"),
            world.path(SETTINGS).write_text(
                world.path(SETTINGS).read_text().replace("http://127.0.0.1:9/anthropic", url)
            ),
        ),
        "drift",
    ),
    "an endpoint that a project brings": (
        lambda world, url: (
            world.env(ANTHROPIC_BASE_URL=None),
            world.env(PROJECT, ANTHROPIC_BASE_URL=url),
        ),
        "endpoint-from-project",
    ),
    "nothing to send": (
        lambda world, url: world.env(ANTHROPIC_BASE_URL=url, ANTHROPIC_AUTH_TOKEN=None),
        "no credential",
    ),
}


@pytest.mark.parametrize(("arrange", "reason"), LEAKS.values(), ids=LEAKS)
def test_online_sends_no_key_where_it_does_not_belong(
    arrange: Callable[[World, str], object],
    reason: str,
    world: World,
    run: Callable[[str], Told],
    serve: Callable[[], Server],
) -> None:
    server = serve()
    arrange(world, f"http://127.0.0.1:{server.port}")
    told = run("doctor --json --online")
    (finding,) = online_findings(told)
    assert (finding["name"], told.json["online"]) == ("online-not-asked", None)
    assert told.status == (0 if reason == "endpoint-from-project" else 4)
    assert reason in finding["message"]
    assert server.connections == 0


def test_a_login_at_anthropic_is_not_tried_out(world: World, run: Callable[[str], Told]) -> None:
    world.settings(
        {"claudeAiOauth": {"accessToken": "sk-ant-oat-test", "scopes": ["user:inference"]}},
        "~/.claude/.credentials.json",
    )
    told = run("doctor --json --online")
    assert [each["name"] for each in told.json["findings"]] == ["online-not-asked"]
    assert told.status == 0


BALANCES = {
    "some": (Balance({"CNY": Decimal("12.5"), "USD": Decimal(0)}), "info", "12.50 CNY and 0.00 USD left"),
    "none": (Balance({"CNY": Decimal("-0.1")}), "warning", "-0.10 CNY left"),
    "not to be had": (Balance({}, "it does not say"), "info", "it does not say"),
}


@pytest.mark.parametrize("case", BALANCES.values(), ids=BALANCES)
def test_online_tells_the_balance(
    case: tuple[Balance, str, str],
    world: World,
    run: Callable[[str], Told],
    serve: Callable[[], Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (balance, severity, words), server, asked = case, serve(), []
    served(world, server)

    def ask_balance(url: str, **options: Any) -> Balance:
        asked.append((url, options["headers"]))
        return balance

    monkeypatch.setattr(online, "ask_balance", ask_balance)
    told = run("doctor --json --online")
    finding = online_findings(told)[-1] if severity == "info" else online_findings(told)[0]
    assert (finding["name"], finding["severity"]) == ("online-balance", severity)
    assert words in finding["message"]
    assert asked == [(f"http://127.0.0.1:{server.port}/anthropic/v1/messages", {"x-api-key": TOKEN})]
    assert told.json["online"]["balance"] == ({k: str(v) for k, v in balance.amounts.items()} or None)


def test_a_key_that_was_rejected_is_not_asked_for_a_balance(
    world: World,
    run: Callable[[str], Told],
    serve: Callable[[bytes], Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served(world, serve(reply(401)))
    monkeypatch.setattr(online, "ask_balance", lambda *_, **__: pytest.fail("it was asked"))
    assert run("doctor --json --online").status == 4
