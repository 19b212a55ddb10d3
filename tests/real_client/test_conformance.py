"""What we say that Claude Code will send is what it sends: address, credential headers, model.

Scenarios cover every pair of factors (``scenarios.py``); they are the same each time. ``make test-long``
takes more of them, and others each time.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from support import amount, unavailable

from kimi_profiles.client import Client
from kimi_profiles.paths import find_places
from kimi_profiles.survey import take_survey
from real_client import scenarios
from real_client.sandbox import CLIENTS, missing_reason, run_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from real_client.sandbox import ClientRun
    from real_client.scenarios import Scenario

pytestmark = pytest.mark.once
SHARES = 60  # small ones, so that no worker is left with a long one at the end


@dataclass(frozen=True)
class Sent:
    """What counts of a request; nothing at all where none was sent.

    Attributes:
        path: Without query.
        credentials: Header → value without ``Bearer``; ``None`` where only a helper knows it.
        model: ``None`` for the client's own choice.
    """

    path: str | None
    credentials: dict[str, str | None]
    model: str | None


NOTHING_SENT = Sent(None, {}, None)


def predicted(scenario: Scenario, version: str, home: Path, work: Path, managed: Path) -> Sent:
    env = scenario.environment(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        patch.setenv("HOME", str(home))
        places = find_places(env)
    survey = take_survey(
        replace(places, managed=managed),
        project=work,
        flag_settings=home / "flag.json" if scenario.has_flag else None,
        env=env,
        client=Client(Path("claude"), version),
    )
    request = survey.request
    if request.url is None or not request.url.startswith(scenarios.ORIGIN):  # no stub is there to see it
        return NOTHING_SENT
    credentials = {each.header: each.value for each in request.credentials}
    return Sent(urlsplit(request.url).path, credentials, request.model.id)


def recorded(run: ClientRun, prediction: Sent) -> Sent:
    """What was sent; of what the prediction leaves open, as open."""
    messages = [message for message in run.messages if message.body.get("tools")]
    if not messages:
        return NOTHING_SENT
    message = messages[-1]
    credentials: dict[str, str | None] = {}
    for header, value in message.credentials:
        text = value.removeprefix("Bearer ") if value != "Bearer" else ""
        is_open = prediction.credentials.get(header, "") is None and text == "sk-test-helper"
        credentials[header] = None if is_open else text
    model = message.model
    is_own = prediction.model is None and model is not None and model.startswith("claude-")
    return Sent(quote(message.path.partition("?")[0], safe="/%:;="), credentials, None if is_own else model)


def check(scenario: Scenario, version: str, folder: Path) -> str | None:
    """``None`` if both agree; else what they say."""
    home, managed = folder / "home", folder / "managed"
    work = home / "work"
    for each in (work, managed):
        each.mkdir(parents=True)
    scenario.write(home, work, managed)
    prediction = predicted(scenario, version, home, work, managed)
    run = run_client(
        version,
        home=home,
        cwd=work,
        args=["-p", "hi", *(["--settings", str(home / "flag.json")] if scenario.has_flag else [])],
        env={"CLAUDE_CODE_MAX_RETRIES": "0", **scenario.environment(home)},
        managed=managed if scenario.has_managed else None,
        port=scenarios.PORT,
        timeout_s=60,
    )
    sent = recorded(run, prediction)
    if sent == prediction:
        return None
    said = (run.stdout + run.stderr).strip()[:300]
    return f"{version} {scenario.levels}\n  predicted {prediction}\n  sent      {sent}\n  said      {said}"


def versions(levels: scenarios.Levels) -> Sequence[str]:
    return CLIENTS if amount(0, 1) else (levels["version"],)


@pytest.fixture(scope="session")
def chosen(pytestconfig: pytest.Config) -> list[scenarios.Levels]:
    rng = random.Random(amount(2, pytestconfig.getoption("hypothesis_seed")))
    every = list(scenarios.pairs(rng))
    return every + [scenarios.likely(rng) for _ in range(max(amount(150, 2000) - len(every), 0))]


def test_every_pair_of_levels_is_there(chosen: list[scenarios.Levels]) -> None:
    assert len(chosen) >= 150
    for one, other in itertools.combinations(scenarios.FACTORS, 2):
        there = {(levels[one], levels[other]) for levels in chosen}
        assert len(there) == len(scenarios.FACTORS[one]) * len(scenarios.FACTORS[other])


@pytest.mark.parametrize("share", range(SHARES))
def test_the_client_sends_what_was_predicted(
    share: int, chosen: list[scenarios.Levels], tmp_path: Path
) -> None:
    reason = missing_reason()
    if reason is not None:
        unavailable(reason)
    wrong = [
        check(scenarios.make(levels), version, tmp_path / f"{number} {version}")
        for number, levels in enumerate(chosen[share::SHARES])
        for version in versions(levels)
    ]
    found = "\n\n".join(each for each in wrong if each is not None)
    assert not found, f"predictions that were wrong:\n{found}"
