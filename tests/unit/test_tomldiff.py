"""The difference of two profile files: what is shown of it, and what is not."""

from __future__ import annotations

import pytest

from kimi_profiles.editing.diff import difference_segments, difference_text
from kimi_profiles.secrets import fingerprint

TOKEN = "sk-test-0123456789abcdefghij"
HIDDEN = "hunter2-and-more"
BEFORE = f"""\
# a note: {TOKEN}
[profiles.w.env]
MY_API_KEY = "{HIDDEN}"
A = "1"
"""


def test_a_difference_and_its_styles() -> None:
    after = BEFORE.replace('"1"', '"2"')
    text = difference_text(BEFORE, after)
    assert text.splitlines()[0].startswith("@@ ")
    assert text.splitlines()[-2:] == ['-A = "1"', '+A = "2"']
    assert [style for line, style in difference_segments(BEFORE, after) if line[:1] in "@-+"] == [
        "dim",
        "remove",
        "add",
    ]
    assert difference_text(BEFORE, BEFORE) == ""


NAMED_LIKE_SECRETS = {
    "in a table": f'[profiles.w.env]\nMY_API_KEY = "{HIDDEN}"\nA = "1"\n',
    "over lines": f'[profiles.w.env]\nMY_API_KEY = """\n{HIDDEN}"""\nA = "1"\n',
    "dotted": f"[profiles.w]\nenv.'MY_API_KEY' = '{HIDDEN}'\nenv.A = \"1\"\n",
    "inline": f'[profiles.w]\nenv = {{ A = "1", MY_API_KEY = "{HIDDEN}", B = "1" }}\n',
    "inline in inline": f'[profiles.w]\nenv = {{ A = "1", X_KEY = {{ env = {{ Y_KEY = "{HIDDEN}" }} }} }}\n',
    "of defaults": f'[defaults]\nenv.X_PASSWORD = "{HIDDEN}"\nenv.A = "1"\n',
    "a comment with a token": f'[profiles.w] # {TOKEN}\nenv.A = "1"\n',
}


@pytest.mark.parametrize("text", NAMED_LIKE_SECRETS.values(), ids=NAMED_LIKE_SECRETS)
def test_a_secret_beside_the_change_is_not_shown(text: str) -> None:
    shown = difference_text(text, text.replace('"1"', '"2"')) + difference_text("", text)
    assert '"2"' in shown
    assert HIDDEN not in shown
    assert TOKEN not in shown


def test_another_secret_is_seen_to_be_another_one() -> None:
    shown = difference_text(BEFORE, BEFORE.replace(HIDDEN, "other"))
    assert f'-MY_API_KEY = "secret {fingerprint(HIDDEN)}"' in shown
    assert f'+MY_API_KEY = "secret {fingerprint("other")}"' in shown
