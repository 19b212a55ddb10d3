"""Random start-up files, in which every condition holds: so what is done can be told without doing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

SETTING = (
    "export KEY=@",
    "export KEY=@",
    "KEY=@",
    "export KEY",
    "export A=1 KEY='@' B=2",
    "eval 'export KEY=@'",
)
ZSH_SETTING = tuple(one for one in SETTING if one != "export KEY")  # done twice, zsh takes it for empty
UNDOING = ("unset KEY", "unset A KEY B")
NOISE = (
    "export KEY_OLD=@ MY_KEY=@",
    ": # it's a comment with \" and ` and ( and {",
    'A="it\'s"',
    "A='5\" (' B=\\' C=\\\"",
    'A="$(echo "it\'s" ")" # isn\'t it\n)"',
    'A=`echo "it\'s"`',
    "A=$(cat <<'E'\nexport KEY=@ it's \")\nE\n)",
    "cat <<E >/dev/null\nexport KEY=@ it's \" ) }\nE",
    "cat <<-'E F' 1>/dev/null 2>&1\n\texport KEY=@ `\n\tE F",
    "A='\nexport KEY=@\n'",
    'A="\nexport KEY=@\n"',
    ": $((1 << 2)) $(( (1 + 2) * 3 ))",
    "A=${#HOME} B=${HOME#*/} C=${HOME##*/}#",
    'A="${HOME%"/x"}" B=${NO_SUCH:-"}"}',
    "echo if then { case fi done esac >/dev/null",
    "echo export KEY=@ >/dev/null",
    "KEY=@ true",
    "alias k='export KEY=@'",
    "case a in if|a) ;; (*) unset KEY ;; esac",
    "A=1 \\\n  B=2",
    "true; # ; export KEY=@",
    '[ -n "$HOME" ] && :',
)
BLOCKS = (
    ("if true\nthen {}\nfi", True),
    ("if true; then\n{}\nelse :; fi", True),
    ("{{ {}\n}}", False),
    ("( {}\n)", False),
    ("for i in 1; do {}\ndone", True),
    ("while :; do {}\nbreak; done", True),
    ("case x in a|b) : ;; x)\n{}\n;; esac", True),
    ("true && {{\n{}\n}}", True),
    ("{{ {}\n}} | cat", False),
    ("A=$( {}\n)", False),
    ('A="$( {}\n)"', False),
    ("f{n}() {{ {}\n}}", False),
    ("f{n}() {{\n{}\n}}\nf{n}", False),
    ("f{n} () {{\n{}\n}}\n(f{n})\nf{n}", False),
)
FISH_SETTING = (
    "set -gx KEY @",
    "set -gx KEY @",
    "set -g KEY @",
    "set -x -g KEY '@'",
    "eval 'set -gx KEY @'",
    "export KEY=@",
)
FISH_UNDOING = ("set -eg KEY", "set -e KEY; or true")
FISH_NOISE = (
    "set -gx KEY_OLD @",
    "true # it's a comment with \" and (",
    'set A "it\'s"',
    "set A '5\" (' \\' \\\" it\\'s",
    'set A "$(echo "it\'s" ")" # isn\'t it\n)"',
    "set A (echo 'end)' # it's\n)",
    "set A '\nset -gx KEY @\n'",
    "echo if end begin function >/dev/null",
    "echo set -gx KEY @ >/dev/null 2>&1",
    "KEY=@ true",
    "set -l KEY_ @; true",
    "true; # ; set -gx KEY @",
    'test -n "$HOME"; and true',
    "if false\nelse if true\nend",
)
FISH_BLOCKS = (
    ("if true\n{}\nend", True),
    ("if false\nelse if true\n{}\nend", True),
    ("begin; {}\nend", False),
    ("for i in 1; {}\nend", True),
    ("while true; {}\nbreak; end", True),
    ("switch x\ncase a\ncase x\n{}\nend", True),
    ("true; and begin\n{}\nend", True),
    ("function f{n}\n{}\nend", False),
    ("function f{n} -d 'it\\'s'\n{}\nend\nf{n}", False),
)


def random_rc(chance: random.Random, shell: str, *, depth: int = 0, is_conditional: bool = False) -> str:
    """Up to four statements, some with more of them inside.

    Args:
        chance: Where the choices come from.
        shell: For whom.
        depth: How many blocks it is inside of.
        is_conditional: Whether one of them is done under a condition.
    """
    is_fish = shell == "fish"
    blocks = FISH_BLOCKS if is_fish else BLOCKS
    statements = []
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        if kind < (0.35 if depth else 0.7) and depth < 4:
            block, decides = chance.choice(blocks)
            inner = random_rc(chance, shell, depth=depth + 1, is_conditional=is_conditional or decides)
            statements.append(block.format(inner, n=chance.randint(1, 10**9)))
        elif kind < (0.65 if depth else 0.8):
            statements.append(chance.choice({"fish": FISH_SETTING, "zsh": ZSH_SETTING}.get(shell, SETTING)))
        elif kind < (0.75 if depth else 0.87) and not is_conditional:
            statements.append(chance.choice(FISH_UNDOING if is_fish else UNDOING))
        else:
            statements.append(chance.choice(FISH_NOISE if is_fish else NOISE))
    return "\n".join(statements)
