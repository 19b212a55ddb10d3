"""Large files: time grows with the size and no faster, and memory stays near the size of the file.

Ratios and counted bytes only, so that no result depends on how fast the machine is.
"""

from __future__ import annotations

import json
import mmap
import os
import platform
import random
import subprocess
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from kimi_profiles import ClaudeCode
from kimi_profiles.change import Change
from kimi_profiles.jsontext.document import Document
from kimi_profiles.ledger import Record
from kimi_profiles.plan import plan_document
from kimi_profiles.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.once

WANTED = [Change("/hasCompletedOnboarding", "true"), Change("/primaryApiKey", None), Change("/env/é", '"ü"')]
WORDS = [
    "please",
    "fix",
    "the",
    "test;",
    "it\u2019s",
    "red",
    'since "src/app"',
    "run\nnpm test",
    "\u00e9",
    "\U0001f600",
]
SMALL_BYTES = 1 << 20  # the members that were looked at

_PAGES_OF_AN_EDIT = """\
import resource, sys
from kimi_profiles.jsontext import Address
from kimi_profiles.jsontext.document import Document

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

used = [bytes(1_000) for _ in range(5_000)]  # all that is free between what was loaded so far
document = Document(open(sys.argv[1], "rb").read())
modules = [bytes(1_000) for _ in range(200)]  # as much as is loaded to edit
before = pages()
document.edit({Address("/env/ANTHROPIC_BASE_URL"): '"https://a.example/anthropic"'})
print(pages() - before)
"""


def chats(size_bytes: int) -> str:
    """As ``.claude.json`` is after years: many projects, each with a history of prompts."""
    rng = random.Random(size_bytes)
    projects = {}
    while len(projects) * 20_000 < size_bytes:
        prompts = [" ".join(rng.choices(WORDS, k=rng.choice((5, 30, 90)))) for _ in range(80)]
        history = [{"display": prompt, "pastedContents": {}} for prompt in prompts]
        projects[f"/home/me/{len(projects)}"] = {"allowedTools": [], "history": history, "lastCost": 0.25}
    return json.dumps({"numStartups": 9, "projects": projects, "userID": "x"}, indent=2, ensure_ascii=False)


def flat(member: str, size_bytes: int) -> str:
    count = size_bytes // (len(member) + 10)
    return "{" + ",\n".join(f'"k{number:07}":{member}' for number in range(count)) + "}"


FILES: dict[str, Callable[[int], str]] = {
    "chats": chats,
    "numbers": lambda size: flat("1", size),
    "small objects": lambda size: flat('{"a":[]}', size),
    "escapes": lambda size: flat('"\\n"', size),
    "a number of each key": lambda size: flat("1", size // 2)[:-1] + "," + flat("2", size // 2)[1:],
}
WEIGHED = ("chats", "numbers", "small objects")
every_file = pytest.mark.parametrize("make", FILES.values(), ids=FILES)


def there_and_back(data: bytes) -> None:
    plan = plan_document(Document(data), Record(), WANTED, holder="A")
    assert plan.text is not None
    assert plan_document(Document(plan.text), plan.record, (), holder="A").text == data


@every_file
def test_time_grows_with_the_size_and_no_faster(make: Callable[[int], str]) -> None:
    def seconds(size_bytes: int) -> float:
        data = make(size_bytes).encode()
        runs = []
        for _ in range(3):
            started = time.process_time()
            there_and_back(data)
            runs.append((time.process_time() - started) / len(data))
        return min(runs)

    assert seconds(2 << 20) < 3 * seconds(1 << 18)


@pytest.mark.parametrize("make", [FILES[name] for name in WEIGHED], ids=WEIGHED)
def test_an_edit_takes_about_the_memory_of_one_text_more(make: Callable[[int], str]) -> None:
    data = make(3 << 20).encode()

    tracemalloc.start()
    plan_document(Document(data), Record(), WANTED, holder="A")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 1.25 * len(data) + SMALL_BYTES


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="how another malloc keeps memory is not known")
def test_an_edited_text_gets_the_memory_of_the_one_that_was_scanned(tmp_path: Path) -> None:
    file, pages = tmp_path / "state.json", 2_000
    file.write_text(chats(pages * mmap.PAGESIZE), encoding="utf-8")

    edit = [sys.executable, "-c", _PAGES_OF_AN_EDIT, str(file)]
    usual = os.environ | {"PYTHONMALLOC": "default"}
    asked_for = int(subprocess.run(edit, check=True, capture_output=True, text=True, env=usual).stdout)

    assert asked_for < pages / 2, "most of it came from the system, page by page"


@pytest.mark.parametrize("make", [FILES[name] for name in WEIGHED], ids=WEIGHED)
def test_apply_and_unapply_take_less_than_four_times_the_file(
    make: Callable[[int], str], tmp_path: Path
) -> None:
    claude = ClaudeCode.user(home=tmp_path)

    def most_memory(data: bytes) -> int:
        (tmp_path / ".claude.json").write_bytes(data)
        tracemalloc.start()
        claude.apply(Profile("work", "https://a.example/anthropic"), token="sk-test-0123456789abcdef")
        claude.unapply()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (tmp_path / ".claude.json").read_bytes() == data
        return most

    most_memory(b"{}")  # it imports
    small, data = most_memory(b"{}"), make(4 << 20).encode()
    assert most_memory(data) - small < 4 * len(data)
