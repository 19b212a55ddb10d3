"""Every error: its name and exit status for scripts, how it prints, and that it travels between processes."""

from __future__ import annotations

import pickle

import pytest

from kimi_profiles import errors
from kimi_profiles.errors import InterruptedRunError, Notice, ProfileInvalidError, ProfilesError

# A promise to scripts: change nothing here, only add.
NAMES = {
    "ProfilesError": ("unexpected", 1),
    "WriteFailedError": ("write-failed", 1),
    "UsageError": ("usage", 2),
    "DurabilityUnconfirmedError": ("durability-unconfirmed", 5),
    "NotFoundError": ("not-found", 66),
    "ProfileNotFoundError": ("profile-not-found", 66),
    "LockTimeoutError": ("lock-timeout", 75),
    "TargetBusyError": ("target-busy", 75),
    "NotPermittedError": ("not-permitted", 77),
    "TargetTrackedError": ("target-tracked", 77),
    "InvalidError": ("invalid", 78),
    "ProfileInvalidError": ("profile-invalid", 78),
    "EndpointError": ("endpoint-invalid", 78),
    "TokenUnavailableError": ("token-unavailable", 78),
    "TargetInvalidError": ("target-unreadable", 78),
    "LedgerInvalidError": ("ledger-unreadable", 78),
}
STANDARD = {
    "UsageError": ValueError,
    "DurabilityUnconfirmedError": OSError,
    "WriteFailedError": OSError,
    "ProfileNotFoundError": KeyError,
    "LockTimeoutError": TimeoutError,
    "InvalidError": ValueError,
    "ProfileInvalidError": ValueError,
}


def kind(name: str) -> type[ProfilesError]:
    found = getattr(errors, name)
    assert issubclass(found, ProfilesError)
    return found


@pytest.mark.parametrize("error", NAMES)
def test_the_name_and_the_exit_status_are_a_promise(error: str) -> None:
    assert (kind(error).name, kind(error).exit_code) == NAMES[error]


def test_the_promise_is_about_every_error() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, ProfilesError)
    }
    assert defined == {*NAMES, "InterruptedRunError"}
    assert defined | {"Notice"} == set(errors.__all__)


@pytest.mark.parametrize(("error", "standard"), STANDARD.items(), ids=STANDARD)
def test_it_can_be_caught_as_a_standard_error(error: str, standard: type[Exception]) -> None:
    assert issubclass(kind(error), standard)


@pytest.mark.parametrize("error", NAMES)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_it_survives_pickling(error: str, protocol: int) -> None:
    before = kind(error)("why", hint="do this", path="/a b/p.toml", line=3, column=14, pointer="/env/A~1B")
    after = pickle.loads(pickle.dumps(before, protocol))
    assert type(after) is type(before)
    assert vars(after) == vars(before)
    assert (str(after), after.args) == (str(before), before.args)


def test_an_interruption_survives_pickling() -> None:
    after = pickle.loads(pickle.dumps(InterruptedRunError(15)))
    assert (after.signal_number, after.exit_code, after.name) == (15, 143, "interrupted")


@pytest.mark.parametrize(("signal_number", "status"), [(2, 130), (15, 143)])
def test_an_interruption_exits_as_shells_count(signal_number: int, status: int) -> None:
    assert InterruptedRunError(signal_number).exit_code == status


PLACES: dict[str, tuple[dict[str, object], str]] = {
    "no place": ({}, "why"),
    "a file": ({"path": "p.toml"}, "p.toml: why"),
    "a line": ({"path": "p.toml", "line": 3}, "p.toml:3: why"),
    "a column": ({"path": "p.toml", "line": 3, "column": 14}, "p.toml:3:14: why"),
    "standard input": ({"line": 3, "column": 14}, "3:14: why"),
    "pointer and hint are not printed": ({"path": "p", "pointer": "/env", "hint": "do this"}, "p: why"),
}


@pytest.mark.parametrize("error", NAMES)
@pytest.mark.parametrize(("facts", "text"), PLACES.values(), ids=PLACES)
def test_it_prints_its_place_and_its_reason(error: str, facts: dict[str, str], text: str) -> None:
    assert str(kind(error)("why", **facts)) == text


def test_it_learns_its_file_once() -> None:
    error = ProfileInvalidError("why")
    assert error.at("first") is error
    assert error.at("second").path == "first"


def test_a_notice_as_json() -> None:
    notice = Notice("token-file-readable", "others can read it", None)
    assert notice.to_json() == {"name": "token-file-readable", "message": "others can read it", "hint": None}
