"""Which line of which start-up file puts a variable into the environment of every new shell.

The files are read as their shells read them, in their order, with what they source, but nothing is run. What
only running can tell is taken the way that finds more: both branches of an ``if`` count, a test may hold, and
what is taken back under a condition only counts as still set. The body of a function counts once the function
is called.

Not seen: values that a program prints (``eval "$(tool)"``, ``export $(cat FILE)``), paths that a command
works out, ``.envrc``, ``BASH_ENV``, the Windows registry, ``launchctl``. No value leaves this module, but for
those that :func:`read_assignments` is asked for.

Source: the manuals of bash 5.2, dash 0.5.12, zsh 5.9, fish 3.6 and tcsh 6.24, and those shells themselves:
``tests/shells``. PowerShell from its documentation alone (about_Profiles, about_Environment_Variables).
"""

from __future__ import annotations

import bisect
import codecs
import fnmatch
import itertools
import os
import re
import sys
from collections import Counter, deque
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, cast

from kimi_profiles.errors import ProfilesError
from kimi_profiles.files import read_file
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    _TextOf = Callable[[str], str]

__all__ = ["Assignment", "Setting", "find_settings", "read_assignments"]

_MAX_FILE_BYTES = 1 << 20
_MAX_BYTES = 4 << 20  # of all files together
_MAX_STEPS = 200_000  # of all files together: a second for the worst of them
_MAX_FILES = 100
_MAX_PLACES = 100  # of one variable in one shell
_MAX_DEPTH = 5
_MAX_NAMES = 10_000  # in one folder
_MAX_ALTERNATIVES = 32
_LISTING = 1000  # so many steps is as much work as to list a folder


@dataclass(frozen=True, slots=True)
class Setting:
    """A line that sets a variable, and that nothing after it takes back.

    Attributes:
        name: The variable, as it was asked for.
        path: The file, by the name under which it is read.
        line: Where the name stands, from 1.
        shell: Who reads the file: ``bash``, ``sh``, ``zsh``, ``fish``, ``csh``, ``powershell``, ``systemd``
            or ``pam``.
        is_exported: Whether programs that the shell starts get it.
        is_empty: Whether what is set is an empty text, as far as that can be read there.
    """

    name: str
    path: Path
    line: int
    shell: str
    is_exported: bool
    is_empty: bool


def find_settings(
    names: Collection[str],
    *,
    home: Path,
    env: Mapping[str, str],
    platform: str = sys.platform,
    root: Path = Path("/"),
) -> list[Setting]:
    """Where the start-up files of ``home`` and of the system set ``names``.

    Args:
        names: Of variables; exact, but on Windows PowerShell takes upper and lower case for the same.
        home: Whose files.
        env: The environment of that user, for ``ZDOTDIR``, ``XDG_CONFIG_HOME`` and whatever stands in the
            path of a sourced file; empty for a user who is not the one that runs us.
        platform: As ``sys.platform``.
        root: What the system's own files (``/etc/…``) are below.

    Returns:
        Shell by shell, in the order in which the shell comes by them: the last one of a shell decides what
        the variable is there. A file that cannot be read, or is larger than a MiB, says nothing; and what
        would take longer than a second or so is not read to its end.
    """
    library = _Library()
    texts = {**env, "HOME": str(home), "__fish_config_dir": str(_config(home, env) / "fish")}
    found: dict[tuple[str, Path, int], Setting] = {}
    for shell, files in _starts(home, env, platform, root):
        session = _Session(shell, names, home, texts, library)
        session.ignores_case = shell == "powershell" and platform == "win32"
        for file in files(session.text_of):
            session.read(file)
        for setting in session.settings():
            key = setting.name, setting.path, setting.line
            if key not in found or setting.is_exported > found[key].is_exported:
                found[key] = setting
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Assignment:
    """A line of a text that sets a variable.

    Attributes:
        name: The variable.
        line: Where the name stands, from 1.
        text: What it is set to, without quotes; another variable in it stays as written. ``None`` where only
            running it can tell.
    """

    name: str
    line: int
    text: str | None = field(repr=False)


def read_assignments(text: str, shell: str) -> list[Assignment]:
    """What the lines of ``text`` set, in their order; conditions are not looked at, and nothing is run.

    Args:
        text: A start-up file, or a part of one.
        shell: As in :class:`Setting`, or ``fish_variables`` for the file in which fish keeps universal ones.
            For ``bash`` and its like, what stands before a command, for that command alone, is among them.
    """
    budget = _Budget()
    if shell in _LINES:
        steps = list(_line_steps(text, shell, budget))
    else:
        reader = _PrefixReader if _READERS[shell] is _ShReader else _READERS[shell]
        steps = reader(text, shell, budget).read()
    unquoted = {"powershell": _ps_text, "fish": _fish_text}.get(shell, _told)
    return [
        Assignment(step.name, step.line, unquoted(step.texts[0]) if step.texts else None)
        for step in _flat(steps)
        if step.verb in {"assign", "local"}
    ]


def _flat(steps: Iterable[_Step]) -> Iterator[_Step]:
    """Those of functions too, as if each were called."""
    for step in steps:
        yield step
        yield from _flat(step.body)


def _told(raw: str) -> str | None:
    """A word without its quotes, unless a command has a say in it."""
    if _ESCAPED_TEXT.search(raw) or _RUNS.search(_SINGLE_QUOTED.sub("", raw)):
        return None
    return _unquoted(raw)


def _fish_text(raw: str) -> str | None:
    """The same of fish, where a backslash counts between single quotes too."""
    if re.search(r"\(", _FISH_QUOTED.sub("", raw)):
        return None
    return _FISH_QUOTED.sub(
        lambda found: (
            re.sub(r"\\(['\\])", r"\1", found[1] or "")
            or re.sub(r'\\(["\\$])', r"\1", found[2] or "")
            or found[3]
            or ""
        ),
        raw,
    )


def _ps_text(raw: str) -> str | None:
    """An expression of PowerShell's that is one text."""
    quoted = _PS_TEXT.fullmatch(raw)
    if quoted is None:
        return raw if re.fullmatch(r"\$(?:env:)?\w+|\$\{env:\w+\}", raw, re.IGNORECASE) else None
    if quoted[1] is not None:
        return quoted[1].replace("''", "'")
    return re.sub(r"`([\s\S])", r"\1", quoted[2])


# ---- which files a shell reads


def _starts(
    home: Path, env: Mapping[str, str], platform: str, root: Path
) -> Iterator[tuple[str, Callable[[_TextOf], Iterable[Path]]]]:
    """Each way to start a shell: its name, and the files it reads.

    Where zsh looks depends on what the files before have set, so the files are asked for one by one, by
    somebody who can tell the text of a variable.
    """
    etc, config = root / "etc", _config(home, env)
    fish = config / "fish"

    def zsh(text_of: _TextOf) -> Iterator[Path]:
        # A login shell finds the first file at home and learns there where the others are; a shell below
        # that one has ZDOTDIR in its environment from the start.
        yield from (etc / "zshenv", etc / "zsh/zshenv", home / ".zshenv")
        for name in ("zshenv", "zprofile", "zshrc", "zlogin"):
            yield from (etc / name, etc / "zsh" / name)  # as zsh comes, as Debian builds it
            yield home / text_of("ZDOTDIR") / f".{name}"

    def fixed(*files: Path) -> Callable[[_TextOf], Iterable[Path]]:
        return lambda _: files

    yield "pam", fixed(etc / "environment", home / ".pam_environment")
    yield "systemd", fixed(*_listed(etc / "environment.d/*.conf"), *_listed(config / "environment.d/*.conf"))
    yield "bash", fixed(etc / "profile", _first(home, ".bash_profile", ".bash_login", ".profile"))
    yield "bash", fixed(etc / "bash.bashrc", home / ".bashrc")
    yield "sh", fixed(etc / "profile", home / ".profile")
    yield "zsh", zsh
    snippets = *_listed(fish / "conf.d/*.fish"), *_listed(etc / "fish/conf.d/*.fish")
    yield "fish", fixed(fish / "fish_variables", *snippets, etc / "fish/config.fish", fish / "config.fish")
    tcshrc = _first(home, ".tcshrc", ".cshrc")
    yield "csh", fixed(etc / "csh.cshrc", etc / "csh.login", tcshrc, home / ".login")
    for folder in _powershell_folders(home, config, platform):
        yield "powershell", fixed(*_listed(folder / "*profile.ps1"))


def _config(home: Path, env: Mapping[str, str]) -> Path:
    return home / (env.get("XDG_CONFIG_HOME") or ".config")


def _powershell_folders(home: Path, config: Path, platform: str) -> list[Path]:
    if platform != "win32":
        return [config / "powershell"]
    documents = home / "Documents", home / "OneDrive" / "Documents"
    return [folder / name for folder in documents for name in ("PowerShell", "WindowsPowerShell")]


def _first(home: Path, *names: str) -> Path:
    return next((home / name for name in names if _is_file(home / name)), home / names[-1])


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - where it may not be looked at, it is not


def _listed(pattern: Path, budget: _Budget | None = None) -> list[Path]:
    """The files of a folder whose names fit, in order; a pattern counts in the last part only."""
    if not re.search(r"[*?\[]", pattern.name):
        return [pattern]
    if budget is not None and not budget.spend(_LISTING):
        return []
    try:
        with os.scandir(pattern.parent) as entries:
            names = [entry.name for entry in itertools.islice(entries, _MAX_NAMES)]
    except (OSError, ValueError):
        return []
    hidden = pattern.name.startswith(".")
    names = [name for name in fnmatch.filter(names, pattern.name) if hidden or not name.startswith(".")]
    return [pattern.parent / name for name in sorted(names)]


# ---- what a file does, step by step


class _Step(NamedTuple):
    """What a piece of a file does.

    Attributes:
        verb: ``assign``, ``local``, ``export``, ``unexport``, ``unset``, ``source``, ``call``, ``function``,
            ``allexport`` or ``stop``.
        name: Of the variable or the function.
        line: Where that name stands.
        texts: Values it may have, a path, or arguments, as written; empty if that is not known.
        scope: In fish ``g``, ``U``, or ``?`` for the one that there is.
        is_conditional: Whether something decides whether it is done.
        body: What a function does.
    """

    verb: str
    name: str
    line: int
    texts: tuple[str, ...] = ()
    scope: str = ""
    is_conditional: bool = False
    body: tuple[_Step, ...] = ()


@dataclass(slots=True)
class _Budget:
    """How much is still done before it is enough: bytes read, and steps of any kind."""

    bytes: int = _MAX_BYTES
    steps: int = _MAX_STEPS

    def spend(self, steps: int) -> bool:
        """Whether there is still something left."""
        self.steps -= steps
        return self.steps > 0


class _Library:
    """Files that were read, each once for every shell."""

    def __init__(self) -> None:
        self.budget = _Budget()
        self._steps: dict[tuple[Path, str], Sequence[_Step]] = {}

    def steps(self, path: Path, shell: str) -> Sequence[_Step]:
        key = path, shell
        if key not in self._steps:
            self._steps[key] = self._read(path, shell)
        return self._steps[key]

    def _read(self, path: Path, shell: str) -> Sequence[_Step]:
        # Opening a device can do something, so nothing is opened that is not seen to be a file.
        if not self.budget.spend(1) or "\0" in str(path) or not _is_file(path):
            return ()
        try:
            data = read_file(path, limit_bytes=min(self.budget.bytes, _MAX_FILE_BYTES)) or b""
        except (ProfilesError, OSError):
            return ()
        self.budget.bytes -= len(data)
        kind = path.name if path.name == "fish_variables" else shell
        if kind in _LINES:
            return list(_line_steps(_decode(data), kind, self.budget))
        return _READERS[shell](_decode(data), shell, self.budget).read()


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as Windows PowerShell writes
        return data.decode("utf-16", "replace")
    return data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


@dataclass(slots=True)
class _Variable:
    is_exported: bool = False
    places: deque[tuple[Path, int, bool]] = field(default_factory=lambda: deque(maxlen=_MAX_PLACES))


class _Session:
    """A shell that starts: what is set after each step."""

    def __init__(
        self, shell: str, names: Collection[str], home: Path, texts: Mapping[str, str], library: _Library
    ) -> None:
        self.shell = shell
        self.names = names
        self.home = home
        self.library = library
        self.ignores_case = False
        self.texts: dict[str, Sequence[str]] = {name: (text,) for name, text in texts.items()}
        self.variables: dict[tuple[str, str], _Variable] = {}
        self.functions: dict[str, tuple[Sequence[_Step], Path]] = {}
        self.exports_all = False
        self.is_sure = True  # no condition decides whether it is done
        self.seen: set[Path] = set()

    def settings(self) -> Iterator[Setting]:
        for (name, scope), variable in self.variables.items():
            for path, line, is_empty in variable.places if scope != "?" else ():
                yield Setting(name, path, line, self.shell, variable.is_exported, is_empty)

    def text_of(self, name: str) -> str:
        """What a variable is, as far as that can be told."""
        return next(iter(self.texts.get(name, ())), "")

    def read(self, path: Path, depth: int = 0) -> None:
        """Read a file; what is not there, or was read before, says nothing."""
        path = Path(os.path.normpath(path))
        if path in self.seen or len(self.seen) >= _MAX_FILES or depth > _MAX_DEPTH:
            return
        steps = self.library.steps(path, self.shell)
        if steps:
            self.seen.add(path)
            self.texts["PSScriptRoot"] = (str(path.parent),)
            self._run(steps, path, depth)

    def _run(self, steps: Iterable[_Step], path: Path, depth: int) -> None:
        for step in steps:
            if step.verb == "stop" and not step.is_conditional:
                return
            if self.library.budget.spend(1):
                self._do(step, path, depth)

    def _do(self, step: _Step, path: Path, depth: int) -> None:
        match step.verb:
            case "assign" | "local":
                texts = [text for raw in step.texts for text in self._expand(raw)]
                self.texts[step.name] = texts[:_MAX_ALTERNATIVES]
                self._assign(step, path)
            case "export" | "unexport" if self._name(step.name):
                self._variable(step).is_exported = step.verb == "export"
            case "unset" if self.is_sure and not step.is_conditional:
                self.variables.pop(self._key(step), None)
            case "allexport":
                self.exports_all = step.name == "on"
            case "source":
                self._source(step.texts[0], depth)
            case "function":
                self.functions[step.name] = step.body, path
            case "call" if step.name in self.functions and depth < _MAX_DEPTH:
                self._call(step, depth)

    def _name(self, name: str) -> str:
        """What it is called among the names that were asked for; empty if it is none of them."""
        if self.ignores_case:
            return next((one for one in self.names if one.lower() == name.lower()), "")
        return name if name in self.names else ""

    def _key(self, step: _Step) -> tuple[str, str]:
        """Name and scope; fish can have a variable of each scope, of which the global one comes first."""
        name = self._name(step.name)
        if step.scope in {"g", "U"}:
            return name, step.scope
        return name, next((scope for scope in "gU" if (name, scope) in self.variables), step.scope or "g")

    def _variable(self, step: _Step) -> _Variable:
        return self.variables.setdefault(self._key(step), _Variable())

    def _assign(self, step: _Step, path: Path) -> None:
        if step.verb == "local" or not self._name(step.name):
            return
        variable = self._variable(step)
        is_empty = bool(step.texts) and not any(map(_unquoted, step.texts))
        variable.places.append((path, step.line, is_empty))
        variable.is_exported |= self.exports_all

    def _expand(self, raw: str) -> list[str]:
        return _expand(raw, self.texts, self.library.budget)

    def _source(self, raw: str, depth: int) -> None:
        for text in self._expand(raw):
            # What qualifies a pattern of zsh's.
            pattern = re.sub(r"\([^()]*\)$", "", text) if self.shell == "zsh" else text
            for file in _listed(self.home / pattern, self.library.budget):
                self.read(file, depth + 1)

    def _call(self, step: _Step, depth: int) -> None:
        body, path = self.functions[step.name]
        for number, raw in enumerate(step.texts, 1):
            self.texts[str(number)] = self._expand(raw)
        was_sure, self.is_sure = self.is_sure, self.is_sure and not step.is_conditional
        self._run(body, path, depth + 1)
        self.is_sure = was_sure


# ---- words

# Atomic groups, as possessive repeats of groups are wrong before Python 3.11.5 (python/cpython gh-106052).
_QUOTED = re.compile(r"""'([^']*)'?|"((?>(?:[^"\\]++|\\[\s\S])*))"?|\\\r?\n|\\([\s\S])""")
_ESCAPED = re.compile(r'\\(?:\n|([$`"\\]))')
_EXPANDED = re.compile(
    r"""
      (?P<quote>")
    | '(?P<single>[^']*)'
    | \\(?P<escaped>[\s\S])
    | \$(?P<name>\w+)
    | \$\{(?P<braced>\w+)(?: :?[-=] (?P<default>(?:[^{}]|\$\{\w+\})*) )?\}
    | (?P<unknown>[$`])
    | \{(?P<list>[^{},\s]*(?:,[^{},\s]*)+)\}
    | (?P<text>[^"'\\$`{]++|['{])
    """,
    re.VERBOSE,
)
_MAX_PATH = 1024
_SINGLE_QUOTED = re.compile(r"'[^']*'")
_RUNS = re.compile(r"\$\(|`|(?<!\\)[<>]\(")
_ESCAPED_TEXT = re.compile(r"""(?<!\\)\$['"]""")  # $'…', which knows escapes that nobody needs here
_FISH_QUOTED = re.compile(r"""'((?>(?:[^'\\]++|\\[\s\S])*))'?|"((?>(?:[^"\\]++|\\[\s\S])*))"?|\\([\s\S])""")
_PS_TEXT = re.compile(r"""'((?:[^']|'')*)'|"((?:[^"`$]|`[\s\S]|\$(?!\())*)\"""")


def _unquoted(raw: str) -> str:
    """A word without its quotes; what is to be filled in stays as written."""
    if not re.search(r"['\"\\]", raw):
        return raw
    return _QUOTED.sub(
        lambda found: (
            found[1] or _ESCAPED.sub(lambda inner: inner[1] or "", found[2] or "") or found[3] or ""
        ),
        raw,
    )


def _expand(raw: str, values: Mapping[str, Sequence[str]], budget: _Budget) -> list[str]:
    """What a word can mean; nothing if that takes more than looking up variables."""
    texts, is_double = [""], False
    if raw == "~" or raw.startswith("~/"):
        raw = f'"$HOME"{raw[1:]}'
    for found in _EXPANDED.finditer(raw[:_MAX_PATH]):
        kind, text = found.lastgroup, found[found.lastgroup or 0]
        after: Sequence[str] = [text]
        if kind == "quote":
            is_double = not is_double
            continue
        if kind == "single" and is_double:
            after = [f"'{text}'"]
        elif kind == "list":
            after = [f"{{{text}}}"] if is_double else text.split(",")
        elif kind in {"name", "braced", "default"}:
            known = values.get(found["name"] or found["braced"], ())
            after = known if any(known) else _expand(found["default"] or "", values, budget)
        if kind == "unknown" or not budget.spend(len(texts) * len(after)):
            return []
        texts = [text for text in map("".join, itertools.product(texts, after)) if len(text) <= _MAX_PATH]
        del texts[_MAX_ALTERNATIVES:]
    return texts


class _Token(NamedTuple):
    """A word or an operator as written; a line end is an operator."""

    raw: str
    at: int
    is_word: bool


@dataclass(frozen=True)
class _Grammar:
    """How a language is cut into words, as patterns.

    Attributes:
        gap: What lies between words.
        operator: What is no word.
        piece: What a word consists of, as long as nothing can be nested in it.
        opener: What begins a part of a word in which other parts can be nested.
        inside: For such a part, by what begins it: its end, another one, or something to step over. What
            begins with a parenthesis is not among them: it holds commands.
        has_documents: Whether ``<<`` begins a here-document.
    """

    gap: str
    operator: str
    piece: str
    opener: str
    inside: Mapping[str, str]
    has_documents: bool = False

    @cached_property
    def tokens(self) -> re.Pattern[str]:
        return re.compile(rf"(?>(?:{self.gap})*)(?:({self.operator})|((?>(?:{self.piece})+)))?")

    @cached_property
    def pieces(self) -> re.Pattern[str]:
        return re.compile(rf"(?>(?:{self.piece})*)")

    @cached_property
    def openers(self) -> re.Pattern[str]:
        return re.compile(self.opener)

    @cached_property
    def insides(self) -> Mapping[str, re.Pattern[str]]:
        return {opener: re.compile(pattern) for opener, pattern in self.inside.items()}


class _Scanner:
    """A text, cut into words and operators."""

    def __init__(self, text: str, grammar: _Grammar, budget: _Budget) -> None:
        self.text = text
        self.grammar = grammar
        self.budget = budget

    def tokens(self, at: int = 0, depth: int = 0) -> Iterator[_Token]:
        """Those from a place on; the names that end here-documents, and the documents, are left out."""
        documents: list[tuple[str, bool]] = []
        wants_name = ""
        while self.budget.spend(1):
            found = cast("re.Match[str]", self.grammar.tokens.match(self.text, at))
            at = found.start(found.lastindex or 0) if found.lastindex else found.end()
            if at >= len(self.text):
                return
            is_word = found.lastindex != 1
            end = max(self._word_end(found.end(), depth), at + 1) if is_word else found.end()
            raw = self.text[at:end]
            if is_word and wants_name:
                documents.append((_unquoted(raw), wants_name.endswith("-")))
            else:
                yield _Token(raw, at, is_word)
            wants_name = raw if self.grammar.has_documents and _DOCUMENT.fullmatch(raw) else ""
            at = end
            if raw == "\n":
                for name, is_indented in documents:
                    at = self._after_document(at, name, is_indented=is_indented)
                documents.clear()

    def _after_document(self, at: int, name: str, *, is_indented: bool) -> int:
        while at < len(self.text):
            end = self.text.find("\n", at)
            end = len(self.text) if end < 0 else end
            line = self.text[at:end]
            at = end + 1
            if (line.lstrip("\t") if is_indented else line) == name:
                break
        return min(at, len(self.text))

    def _word_end(self, at: int, depth: int) -> int:
        while True:
            opener = self.grammar.openers.match(self.text, at)
            if opener is None:
                return at
            at = self._after_part(opener.end(), opener.group(), depth)
            at = cast("re.Match[str]", self.grammar.pieces.match(self.text, at)).end()

    def _after_part(self, at: int, opener: str, depth: int) -> int:
        """Where the part of a word ends that ``opener`` has begun."""
        if opener.endswith("("):
            return self._after_commands(at, depth + 1)
        stack = [opener]
        while stack and self.budget.spend(1):
            top = stack[-1]
            found = self.grammar.insides[top].search(self.text, at)
            if found is None:
                return len(self.text)
            at, what = found.end(), found.group()
            if what == ('"' if top == '"' else "}"):
                stack.pop()
            elif what == '"':
                stack.append(what)
            elif what == "${":
                stack.append('"${' if top.startswith('"') else what)
            elif what == "$(":
                at = self._after_commands(at, depth + 1)
        return at

    def _after_commands(self, at: int, depth: int) -> int:
        """Where the parenthesis ends in which commands begin here; if they are too deep, at the very end."""
        opened: list[str] = []  # parentheses, and each `case`, or `pattern` before one of its patterns
        words: list[str] = []
        for token in self.tokens(at, depth) if depth <= _MAX_NESTING else ():
            if token.is_word:
                words = _after_word(token.raw, words, opened)
            elif token.raw == ")" and "(" not in opened and opened[-1:] != ["pattern"]:
                return token.at + 1
            else:
                words = []
                _after_operator(token.raw, opened)
        return len(self.text)


def _after_word(raw: str, words: list[str], opened: list[str]) -> list[str]:
    """The first words of the command, with this one; what it opens or closes."""
    top = opened[-1] if opened else ""
    if raw == "esac" and (top == "pattern" or (top == "case" and not words)):
        opened.pop()
    elif [*words, raw][::2] == ["case", "in"]:
        opened.append("pattern")
    elif words or raw not in _BEFORE_COMMANDS:
        return [*words[:2], raw]
    return []


def _after_operator(raw: str, opened: list[str]) -> None:
    top = opened[-1] if opened else ""
    if top == "pattern":
        opened[-1] = "case" if raw == ")" else top
    elif raw == "(":
        opened.append(raw)
    elif raw == ")":
        del opened[len(opened) - 1 - opened[::-1].index("(") :]
    elif top == "case" and raw in _CASE_ENDS:
        opened[-1] = "pattern"


_DOCUMENT = re.compile(r"\d*<<-?")
_MAX_NESTING = 30
_CASE_ENDS = frozenset({";;", ";&", ";;&", ";|"})
_BEFORE_COMMANDS = frozenset(
    {"then", "else", "elif", "do", "!", "time", "always", "if", "while", "until", "{"}
)

_SINGLE = r"'[^']*+(?:'|\Z)"
_ESCAPES = r"'(?>(?:[^'\\]++|\\[\s\S])*)(?:'|\Z)"  # a single-quoted text in which a backslash counts
_BACKSLASH = r"\\(?:[\s\S]|\Z)"
_BACKTICKS = r"`(?>(?:[^`\\]++|\\[\s\S])*)(?:`|\Z)"
_BLANK = r"[ \t]++|\\\r?\n|\#[^\n]*+"
_ARITHMETIC = r"\(\((?>(?:[^()]++|\((?>(?:[^()]++|\((?>(?:[^()]++|\([^()]*+\))*)\))*)\))*)\)\)"
_GLOB = r"(?<=[^\s;&|()<>=])\([^()\s'\"`]++\)"  # what is in parentheses right behind a word, is a part of it
_SH_INSIDE = rf"{_BACKSLASH}|{_BACKTICKS}|\${_ARITHMETIC}|\$\(|\$\{{"
_IN_QUOTES = rf'"|{_SH_INSIDE}'
_IN_BRACES = rf'[}}"]|{_SINGLE}|\${_ESCAPES}|{_SH_INSIDE}'


def _sh(in_quoted_braces: str = rf'[}}"]|{_SH_INSIDE}', gap: str = _BLANK) -> _Grammar:
    return _Grammar(
        gap=gap,
        operator=rf"\n|\([ \t]*\)|(?!{_ARITHMETIC})\(|\)|\d*(?:<<<|<<-|<<|<&|<>|>>|>&|>\||[<>](?!\())|&>>|&>"
        r"|&&|\|\||;;&|;;|;&|;\||\|&|[;&|]",
        piece=rf"[^ \t\n'\"\\$`;&|<>()]++|{_BACKSLASH}|{_SINGLE}|\${_ESCAPES}|{_BACKTICKS}|\$?{_ARITHMETIC}"
        rf"|{_GLOB}|\$(?![({{'])",
        opener=r'"|\$\(|\$\{|[<>]\(',
        inside={'"': _IN_QUOTES, "${": _IN_BRACES, '"${': in_quoted_braces},
        has_documents=True,
    )


_SH = _sh()
_BASH = _sh(in_quoted_braces=_IN_BRACES)  # there a single quote within "${…}" is one, too
# There `(#` begins what qualifies a pattern.
_ZSH = _sh(gap=_BLANK.replace(r"\#", r"(?:(?<![^\s;&|])\#|\#(?!\S))"))

_FISH = _Grammar(
    gap=_BLANK,
    operator=r"\n|\d*(?:>>|>&|>\?|<&|[<>])|&>>|&>|&\||&&|\|\||[;&|)]",
    piece=rf"[^ \t\n'\"\\$;&|<>()]++|{_BACKSLASH}|{_ESCAPES}|\$(?!\()",
    opener=r'"|\$?\(',
    inside={'"': rf'"|{_BACKSLASH}|\$\('},
)

_CSH = _Grammar(
    gap=_BLANK,
    operator=r"\n|<<|>>&?!?|>&?!?|<|&&|\|\||\|&|[;&|()]",
    # No quote of its own goes on over a line end.
    piece=rf"[^ \t\n'\"\\`;&|<>()]++|{_BACKSLASH}"
    + "".join(rf"|{quote}(?>(?:[^{quote}\\\n]++|{_BACKSLASH})*)(?:{quote}|(?=\n)|\Z)" for quote in "'\"`"),
    opener=r"(?!)",
    inside={},
    has_documents=True,
)

_POWERSHELL = _Grammar(
    gap=r"[ \t\r]++|`\r?\n|<\#[\s\S]*?(?:\#>|\Z)|\#[^\n]*+",
    operator=r"\n|&&|\|\||[;&|){}]",
    piece=rf"[^ \t\r\n'\"`$@;&|(){{}}]++|`(?:[\s\S]|\Z)|{_SINGLE}"
    r"|@'[ \t]*+\r?\n[\s\S]*?(?:\n'@|\Z)|@\"[ \t]*+\r?\n[\s\S]*?(?:\n\"@|\Z)"
    r"|\$\{[^}\n]*+\}?|[$@](?!\()",
    opener=r'"|[$@]?\(',
    inside={'"': r'"|`[\s\S]|\$\('},
)


# ---- from words to steps


@dataclass(slots=True)
class _Frame:
    """What was going on when a block began.

    Attributes:
        closer: The word or the sign that ends the block.
        start: How many steps came before the command that the block is a part of.
        is_conditional: Whether something decides whether the block is done.
        is_piped: Whether that command reads from a pipe.
        is_after_test: Whether it follows ``&&`` or ``||``.
        outer: The steps before the block, if it is a function.
        function: Its name.
        is_pattern: Whether what comes next is the pattern of a ``case``.
    """

    closer: str
    start: int
    is_conditional: bool
    is_piped: bool
    is_after_test: bool
    outer: list[_Step] | None = None
    function: str = ""
    is_pattern: bool = False


class _Reader:
    """A text → its steps; what its words mean is said by the language."""

    blocks: Mapping[str, str]  # what begins a block → what ends it
    skipped: frozenset[str]  # words before which, or after which, a command begins
    grammar: _Grammar
    drops_pipes = True  # whether the parts of a pipe have a shell of their own

    def __init__(self, text: str, shell: str, budget: _Budget, *, line: int = 0, nesting: int = 0) -> None:
        self.text = text
        self.shell = shell
        self.budget = budget
        self.line = line  # of the whole text, where it is a part of another one
        self.nesting = nesting
        self.steps: list[_Step] = []
        self.frames: list[_Frame] = []
        self.open: Counter[str] = Counter()
        self.words: list[_Token] = []
        self.start = 0
        self.is_fresh = True
        self.is_piped = False
        self.is_after_test = False
        self.skips_next = False

    def read(self) -> list[_Step]:
        for token in _Scanner(self.text, self.grammar, self.budget).tokens():
            if not token.is_word:
                self.take_operator(token.raw)
            elif self.skips_next:
                self.skips_next = False
            else:
                self.take_word(token)
        self.end("\n")
        while self.frames:
            self.close(self.frames[-1].closer)
        return self.steps

    def take_word(self, token: _Token) -> None:
        raise NotImplementedError

    def command(self, words: list[_Token]) -> None:
        raise NotImplementedError

    def take_operator(self, raw: str) -> None:
        if not re.search("[<>]", raw):
            self.end(raw)
        elif not _DOCUMENT.fullmatch(raw):
            self.skips_next = True  # a file's name

    def add(self, verb: str, name: str, at: int, texts: tuple[str, ...] = (), *, scope: str = "") -> None:
        self.steps.append(_Step(verb, name, self.line_of(at), texts, scope, self.is_conditional))

    def add_nested(self, text: str, at: int) -> None:
        """What a text in the text does."""
        if self.nesting < _MAX_EVALS:
            inner = type(self)(
                text, self.shell, self.budget, line=self.line_of(at), nesting=self.nesting + 1
            ).read()
            is_conditional = self.is_conditional
            self.steps += [
                step._replace(is_conditional=step.is_conditional or is_conditional)
                for step in inner
                if not step.body
            ]

    def line_of(self, at: int) -> int:
        return self.line or bisect.bisect_left(self._line_ends, at) + 1

    @cached_property
    def _line_ends(self) -> list[int]:
        return [found.start() for found in re.finditer("\n", self.text)]

    @property
    def is_conditional(self) -> bool:
        return self.is_after_test or bool(self.frames and self.frames[-1].is_conditional)

    @property
    def is_in_function(self) -> bool:
        return self.open["function"] > 0

    def begin(self, closer: str, *, is_conditional: bool = True, function: str | None = None) -> None:
        """A block begins."""
        frame = _Frame(
            closer,
            self.start,
            is_conditional or (self.is_conditional and function is None),
            self.is_piped,
            self.is_after_test,
        )
        if function is not None:
            frame.function, frame.outer, self.steps = function, self.steps, []
            self.open["function"] += 1
        self.frames.append(frame)
        self.open[closer] += 1
        self._reset("")

    def close(self, closer: str) -> None:
        """The innermost block of this kind ends, and what was left open within it."""
        if self.open[closer] == 0:
            return
        self.end("\n")
        frame = None
        while frame is None or frame.closer != closer:
            frame = self.frames.pop()
            self.open[frame.closer] -= 1
            if frame.outer is not None:
                body, self.steps = tuple(self.steps), frame.outer
                self.open["function"] -= 1
                self.steps.append(_Step("function", frame.function, 0, body=body))
            elif frame.closer == ")":
                del self.steps[frame.start :]
        self.start, self.is_fresh = frame.start, False
        self.is_piped, self.is_after_test = frame.is_piped, frame.is_after_test

    def end(self, operator: str) -> None:
        """A command ends."""
        if self.is_fresh and operator == "\n":
            return  # an empty line, or one after `&&` or `|`
        words, self.words = self.words, []
        if words:
            self.command(words)
        leaves = operator in {"|", "|&", "&"}
        if self.drops_pipes and (leaves or (self.is_piped and self.shell != "zsh")):
            del self.steps[self.start :]
        self._reset(operator)

    def _reset(self, operator: str) -> None:
        self.words = []
        self.start = len(self.steps)
        self.is_fresh = True
        self.is_piped = operator in {"|", "|&"}
        self.is_after_test = operator in {"&&", "||"}


_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_ASSIGNMENT = re.compile(rf"({_NAME})\+?=([\s\S]*)")
_DEFAULT = re.compile(rf"\$\{{({_NAME}):?=([^}}]*)")
_MAX_EVALS = 3


def _plain(word: _Token) -> str:
    return word.raw.replace("\\\n", "") if "\\" in word.raw else word.raw


class _ShReader(_Reader):
    """sh, bash and zsh."""

    blocks: Mapping[str, str] = {
        "if": "fi",
        "while": "done",
        "until": "done",
        "for": "done",
        "select": "done",
        "case": "esac",
        "{": "}",
    }
    skipped = frozenset({"then", "else", "elif", "do", "!", "time", "always"})

    def __init__(self, text: str, shell: str, budget: _Budget, *, line: int = 0, nesting: int = 0) -> None:
        super().__init__(text, shell, budget, line=line, nesting=nesting)
        self.grammar = {"bash": _BASH, "zsh": _ZSH}.get(shell, _SH)
        self.is_test = False  # within [[ ]]
        self.is_list = False  # of zsh's `for NAME (…)`
        self.function: str | None = None  # whose body comes next

    def take_word(self, token: _Token) -> None:
        raw, first = token.raw, self.words[0].raw if self.words else ""
        if self.is_test or (not first and raw == "[["):
            self.is_test, self.is_fresh = raw != "]]", False
        elif self.frames and self.frames[-1].is_pattern:
            if raw == "esac":
                self.close(raw)
        elif raw in {"fi", "done", "esac", "}"} and (not first or (raw == "}" and self.shell == "zsh")):
            self.close(raw)
        elif first == "function":
            self._name_function(token)
        elif raw in self.blocks and (not first or (first == "repeat" and self.shell == "zsh")):
            self._begin_block(token)
        elif first or raw not in self.skipped:
            self._take_argument(token)

    def _begin_block(self, token: _Token) -> None:
        closer = self.blocks[token.raw]
        if token.raw == "{":
            self.begin(closer, is_conditional=False, function=self.function)
        else:
            self.begin(closer)
        self.function = None
        if token.raw in {"for", "select", "case"}:
            self._take_argument(token)

    def _name_function(self, token: _Token) -> None:
        self.words.clear()
        if token.raw == "{":
            self._begin_block(token)  # without a name, so it is called at once
        else:
            self.function = _plain(token)

    def _take_argument(self, token: _Token) -> None:
        self.words.append(token)
        self.is_fresh, self.function = False, None
        if len(self.words) == 3 and token.raw == "in" and self.words[0].raw == "case":  # noqa: PLR2004 - case X in
            self.words.clear()
            self.frames[-1].is_pattern = True

    def take_operator(self, raw: str) -> None:
        frame = self.frames[-1] if self.frames else None
        if self.is_test:
            return
        if self.is_list:
            if raw == ")":
                self.is_list = False
                self.end("\n")
        elif frame is not None and frame.is_pattern:
            frame.is_pattern = raw != ")"
        elif raw.startswith("(") and raw.endswith(")"):
            self._take_parentheses()
        elif raw == "(":
            self._begin_subshell()
        elif raw == ")":
            self.close(")")
        else:
            super().take_operator(raw)
            if raw in _CASE_ENDS and self.frames:
                self.frames[-1].is_pattern = self.frames[-1].closer == "esac"

    def _take_parentheses(self) -> None:
        """What comes before ``()`` is the name of a function, or of a list without members."""
        if self.words and not self.words[-1].raw.endswith("="):
            self.function = _plain(self.words[-1])
            self.words.clear()
            self.is_fresh = True

    def _begin_subshell(self) -> None:
        if [word.raw for word in self.words[:1]] == ["for"] and len(self.words) == 2:  # noqa: PLR2004 - for NAME
            self.words.append(self.words[0])
            self.is_list = True
            return
        if self.words and self.words[-1].raw.endswith("="):  # a list; none is ever exported
            self.words.pop()
        self.end(";")
        self.begin(")", is_conditional=False)

    def command(self, words: list[_Token]) -> None:
        assigned = list(itertools.takewhile(lambda word: _ASSIGNMENT.match(_plain(word)), words))
        if len(assigned) == len(words):
            for word in words:
                self._assign("assign", word)
            return
        words = words[len(assigned) :]  # what stands before a command is for that command alone
        while len(words) > 1 and words[0].raw in {"builtin", "command", "noglob", "nocorrect", "-"}:
            words = words[1:]
        action = self.actions.get(_unquoted(words[0].raw), _ShReader._call)
        action(self, words)

    def _assign(self, verb: str, word: _Token) -> str:
        """The name that is assigned to, or that the word is."""
        text = _plain(word)
        found = _ASSIGNMENT.match(text) or _ASSIGNMENT.match(_unquoted(text))
        if found is None:
            return _unquoted(text)
        self.add(verb, found[1], word.at, (found[2],))
        return found[1]

    def _declare(self, words: list[_Token]) -> None:
        name, (options, arguments) = _unquoted(words[0].raw), _options(words)
        on = {letter for option in options if option[0] == "-" for letter in option[1:]}
        exports = (name == "export" or "x" in on) and "n" not in on
        if on & {"f", "F"}:
            return
        for word in arguments:
            if self._is_local(name, on):
                self._assign("local", word)
                continue
            variable = self._assign("assign", word)
            if exports:
                self.add("export", variable, word.at)
            elif "+x" in options or (name == "export" and "n" in on):
                self.add("unexport", variable, word.at)

    def _is_local(self, name: str, on: set[str]) -> bool:
        if name == "export" or "g" in on or not self.is_in_function:
            return name == "local" and "g" not in on
        if self.shell == "zsh":
            return name in {"local", "readonly"} or "x" not in on
        return name != "readonly"

    def _unset(self, words: list[_Token]) -> None:
        options, arguments = _options(words)
        if "-f" not in options:
            for word in arguments:
                self.add("unset", _unquoted(word.raw), word.at)

    def _set(self, words: list[_Token]) -> None:
        name, (options, arguments) = _unquoted(words[0].raw), _options(words)
        is_named = [word.raw.lower().replace("_", "") == "allexport" for word in arguments]
        if name != "set" and any(is_named):
            self.add("allexport", "on" if name == "setopt" else "off", words[0].at)
        for option in options if name == "set" else ():
            if "a" in option or ("o" in option and is_named[:1] == [True]):
                self.add("allexport", "on" if option[0] == "-" else "off", words[0].at)

    def _evaluate(self, words: list[_Token]) -> None:
        texts = [_unquoted(word.raw) for word in words]
        if texts[0] == "emulate":
            texts = texts[texts.index("-c") :] if "-c" in texts else []
        self.add_nested(" ".join(texts[1:]), words[0].at)

    def _source(self, words: list[_Token]) -> None:
        for word in _options(words)[1][:1]:
            self.add("source", "", word.at, (_plain(word),))

    def _stop(self, words: list[_Token]) -> None:
        if len(words) > 1 or words[0].raw != "exec":  # else it is about open files alone
            self.add("stop", "", words[0].at)

    def _call(self, words: list[_Token]) -> None:
        self.add("call", _unquoted(words[0].raw), words[0].at, tuple(word.raw for word in words[1:10]))

    def _fill(self, words: list[_Token]) -> None:
        """``read NAME`` and ``: ${NAME:=value}``."""
        for word in words[1:]:
            found = _DEFAULT.search(word.raw)
            if found:
                self.add("assign", found[1], word.at, (found[2],))
            elif words[0].raw == "read" and re.fullmatch(_NAME, word.raw):
                self.add("assign", word.raw, word.at)

    def _loop(self, words: list[_Token]) -> None:
        if len(words) > 1 and re.fullmatch(_NAME, words[1].raw):
            self.add("assign", words[1].raw, words[1].at, tuple(_plain(word) for word in words[3:]))

    actions: Mapping[str, Callable[[_ShReader, list[_Token]], None]] = {
        **dict.fromkeys(("export", "declare", "typeset", "local", "readonly"), _declare),
        "unset": _unset,
        **dict.fromkeys(("set", "setopt", "unsetopt"), _set),
        **dict.fromkeys(("eval", "emulate"), _evaluate),
        **dict.fromkeys(("source", "."), _source),
        **dict.fromkeys(("return", "exit", "exec"), _stop),
        **dict.fromkeys(("read", ":"), _fill),
        **dict.fromkeys(("for", "select"), _loop),
    }


class _PrefixReader(_ShReader):
    """The same, to which what stands before a command counts too: ``NAME=value command``."""

    def command(self, words: list[_Token]) -> None:
        assigned = list(itertools.takewhile(lambda word: _ASSIGNMENT.match(_plain(word)), words))
        if len(assigned) < len(words):
            for word in assigned:
                self._assign("assign", word)
        super().command(words)


def _options(words: list[_Token]) -> tuple[list[str], list[_Token]]:
    """What the first words after the command say with ``-`` or ``+``, and the words after that."""
    options: list[str] = []
    for number, word in enumerate(words[1:], 1):
        text = _unquoted(word.raw)
        if text == "--" or not re.match(r"[-+]\w|--", text):
            return options, words[number + (text == "--") :]
        options.append(text)
    return options, []


class _FishReader(_Reader):
    grammar = _FISH
    blocks: Mapping[str, str] = dict.fromkeys(("if", "while", "for", "switch", "begin"), "end")
    skipped = frozenset({"else", "not", "!", "time", "builtin"})
    drops_pipes = False

    is_else = False  # `else if` begins no block of its own

    def take_word(self, token: _Token) -> None:
        raw = token.raw
        if not self.words and raw in {"and", "or"}:
            self.is_after_test = True
        elif not self.words and raw in self.skipped:
            self.is_else = raw == "else"
        elif not self.words and raw in self.blocks:
            if not self.is_else:
                self.begin(self.blocks[raw], is_conditional=raw != "begin")
            self.is_else = False
            if raw == "for":
                self._take(token)
        elif not self.words and raw == "end":
            self.close(raw)
        else:
            self._take(token)

    def _take(self, token: _Token) -> None:
        self.words.append(token)
        self.is_fresh = self.is_else = False

    def command(self, words: list[_Token]) -> None:
        name = _unquoted(words[0].raw)
        if name == "set":
            self._set(words)
        elif name in {"source", "."} and len(words) > 1:
            self.add("source", "", words[0].at, (_plain(words[1]),))
        elif name == "for" and len(words) > 1:
            self.add("assign", words[1].raw, words[1].at, tuple(word.raw for word in words[3:]))
        elif name == "function" and len(words) > 1:
            self.begin("end", is_conditional=False, function=_unquoted(words[1].raw))
        elif name in {"export", "setenv"} and len(words) > 1:
            self._export(name, words)
        elif name == "eval":
            self.add_nested(" ".join(_unquoted(word.raw) for word in words[1:]), words[0].at)
        elif name in {"return", "exit", "exec"}:
            self.add("stop", "", words[0].at)
        else:
            self.add("call", name, words[0].at)

    def _set(self, words: list[_Token]) -> None:
        options, arguments = _options(words)
        on = _fish_options(options)
        names = [_unquoted(word.raw).partition("[")[0] for word in arguments]
        scope = "U" if "U" in on else "g" if "g" in on else ""
        if "e" not in on and not scope and self.is_in_function:
            scope = "?"  # a variable of the function, unless there is one outside
        if "l" in on or on & {"q", "n", "S"} or not arguments:
            return
        if "e" in on:
            for name, word in zip(names, arguments, strict=True):
                self.add("unset", name, word.at, scope=scope)
            return
        at = arguments[0].at
        self.add("assign", names[0], at, tuple(word.raw for word in arguments[1:2]) or ("",), scope=scope)
        if on & {"x", "u"}:
            self.add("export" if "x" in on else "unexport", names[0], at, scope=scope)

    def _export(self, name: str, words: list[_Token]) -> None:
        found = _ASSIGNMENT.match(_unquoted(words[1].raw))
        if name == "setenv":
            self.add(
                "assign",
                _unquoted(words[1].raw),
                words[1].at,
                tuple(word.raw for word in words[2:3]) or ("",),
            )
        elif found:
            self.add("assign", found[1], words[1].at, (found[2],))
        self.add("export", found[1] if found else _unquoted(words[1].raw), words[1].at)


_FISH_LONG = {
    "--export": "x",
    "--unexport": "u",
    "--universal": "U",
    "--global": "g",
    "--local": "l",
    "--erase": "e",
    "--query": "q",
    "--names": "n",
    "--show": "S",
}


def _fish_options(options: list[str]) -> set[str]:
    letters = {letter for option in options if not option.startswith("--") for letter in option[1:]}
    for option in options:
        if option.startswith("--"):
            letters.update(
                next(([letter] for name, letter in _FISH_LONG.items() if name.startswith(option)), [])
            )
    return letters


class _CshReader(_Reader):
    grammar = _CSH
    blocks: Mapping[str, str] = {"then": "endif", "foreach": "end", "while": "end", "switch": "endsw"}
    skipped = frozenset({"else"})

    is_else = False

    def take_word(self, token: _Token) -> None:
        raw = token.raw
        if not self.words and raw in self.skipped:
            self.is_else = True
        elif not self.words and raw in self.blocks:
            if not self.is_else:
                self.begin(self.blocks[raw])
        elif not self.words and raw in {"endif", "end", "endsw"}:
            self.close(raw)
        elif not self.words and raw == "if":
            self.is_after_test = True  # up to the end of the line, if there is no `then`
        else:
            self.words.append(token)
            self.is_fresh = False

    def take_operator(self, raw: str) -> None:
        if raw == "(":
            was_after_test = self.is_after_test
            self.end(";")
            self.is_after_test = was_after_test
            self.begin(")", is_conditional=False)
        elif raw == ")":
            self.close(raw)
        else:
            self.is_else = self.is_else and raw != "\n"
            super().take_operator(raw)

    def command(self, words: list[_Token]) -> None:
        if words[0].raw == "eval":
            words = words[1:] or words
        name = _unquoted(words[0].raw)
        if name == "setenv" and len(words) > 1:
            variable = _unquoted(words[1].raw)
            self.add("assign", variable, words[1].at, tuple(word.raw for word in words[2:3]) or ("",))
            self.add("export", variable, words[1].at)
        elif name == "unsetenv":
            for word in words[1:]:
                self.add("unset", _unquoted(word.raw), word.at)
        elif name == "source" and len(words) > 1:
            self.add("source", "", words[0].at, (_plain(words[-1]),))
        elif name == "set":
            found = re.match(rf"set\s+({_NAME})\s*=\s*(.*)", " ".join(word.raw for word in words))
            if found:
                self.add("local", found[1], words[0].at, (found[2],))
        elif name in {"exit", "exec"}:
            self.add("stop", "", words[0].at)


_PS_FLAGS = re.IGNORECASE | re.DOTALL
_PS_ITEM = r"\s+(?:-force\s+)?(?:-(?:literal)?path[\s:]+)?['\"]?env:[\\/]?(\w+)['\"]?"
_PS_ASSIGN = re.compile(r"\$(?:\{env:(\w+)\}|env:(\w+))\s*(?:[-+*/%]|\?\?)?=\s*(.*)", _PS_FLAGS)
_PS_SETS = (
    re.compile(
        r"(?:\[void\]\s*)?\[(?:System\.)?Environment\]::SetEnvironmentVariable\(\s*['\"](\w+)['\"]\s*,\s*"
        r"('[^']*'|\"[^\"]*\"|[^,)]*)",
        _PS_FLAGS,
    ),
    re.compile(rf"(?:Set-Item|si|New-Item|ni|Set-Content|sc){_PS_ITEM}\s*(?:-value[\s:]+)?(.*)", _PS_FLAGS),
)
_PS_REMOVE = re.compile(rf"(?:Remove-Item|ri|rm|rmdir|del|erase|rd|Clear-Item|cli){_PS_ITEM}", _PS_FLAGS)
_PS_SOURCES = (
    re.compile(r"\.\s+\(\s*Join-Path\s+(\S+)\s+(\S+?)\s*\)", _PS_FLAGS),
    re.compile(r"(?:\.\s+)?(\"[^\"]*\.ps1\"|'[^']*\.ps1'|\S*\.ps1)", _PS_FLAGS),
)
_PS_LOCAL = re.compile(r"\$(\w+)\s*=\s*(\"[^\"]*\"|'[^']*'|\S+)", _PS_FLAGS)
_PS_FUNCTION = re.compile(r"(?:function|filter)\s+(?:global:|script:)?([\w-]+)", _PS_FLAGS)
_PS_BLOCK = re.compile(
    r"(?:else|elseif|if|foreach|for|while|do|until|switch|try|catch|finally|trap|ForEach-Object)\b|%(?:\s|$)",
    _PS_FLAGS,
)


class _PowerShellReader(_Reader):
    """PowerShell, where the environment belongs to the process, whichever block or function changes it."""

    grammar = _POWERSHELL
    drops_pipes = False

    def take_word(self, token: _Token) -> None:
        self.words.append(token)
        self.is_fresh = False

    def take_operator(self, raw: str) -> None:
        first = self.words[0].raw if self.words else ""
        if raw == "{":
            self._begin_block(_statement(self.words))
        elif raw == "}":
            self.close(self.frames[-1].closer if self.frames else "}")
        elif raw != "\n" or not (_PS_BLOCK.match(first) or first.lower() in {"function", "filter"}):
            self.end(raw)  # else the block begins on the next line

    def _begin_block(self, statement: str) -> None:
        named, is_switch = _PS_FUNCTION.match(statement), statement.lower().startswith("switch")
        self.words = []
        if named:
            self.begin("}", is_conditional=False, function=named[1].lower())
        elif statement.lower() in {"", ".", "begin", "process", "end"}:
            self.begin("}", is_conditional=False)
        elif _PS_BLOCK.match(statement) or (self.frames and self.frames[-1].is_pattern):
            self.begin("}")
            self.frames[-1].is_pattern = is_switch
        else:
            self.begin(")")  # done later, or never

    def command(self, words: list[_Token]) -> None:
        statement, at = _statement(words), words[0].at
        sets = next((found for found in (one.match(statement) for one in _PS_SETS) if found), None)
        removes, is_assignment = _PS_REMOVE.match(statement), _PS_ASSIGN.match(statement)
        local = _PS_LOCAL.fullmatch(statement)
        if sets:
            self._set(sets[1], sets[2], at)
        elif is_assignment:
            self._assign(statement, at)
        elif removes:
            self.add("unset", removes[1], at)
        elif local:
            self.add("local", local[1], at, (_ps_path(local[2]),))
        elif words[0].raw.lower() in {"return", "exit"}:
            self.add("stop", "", at)
        elif not self._source(statement, at):
            self.add("call", words[0].raw.lower(), at)

    def _assign(self, statement: str, at: int) -> None:
        found, value = _PS_ASSIGN.match(statement), ""
        names: list[str] = []
        while found and len(names) < _MAX_EVALS:  # $env:A = $env:B = …
            names.append(found[1] or found[2])
            value = found[3]
            found = _PS_ASSIGN.match(value)
        for name in names:
            self._set(name, value, at)

    def _set(self, name: str, value: str, at: int) -> None:
        if value.strip().lower() in {"$null", "[nullstring]::value"}:
            self.add("unset", name, at)
        else:
            self.add("assign", name, at, (value.strip(),) if value.strip() else ())
            self.add("export", name, at)

    def _source(self, statement: str, at: int) -> bool:
        found = next((found for found in (one.match(statement) for one in _PS_SOURCES) if found), None)
        if found:
            self.add("source", "", at, ("/".join(_unquoted(_ps_path(part)) for part in found.groups()),))
        return found is not None


def _statement(words: list[_Token]) -> str:
    return " ".join(word.raw for word in words)


def _ps_path(raw: str) -> str:
    return re.sub(r"\$env:(?:USERPROFILE|HOME)\b", "$HOME", raw, flags=re.IGNORECASE).replace("\\", "/")


_READERS: dict[str, type[_Reader]] = {
    **dict.fromkeys(("bash", "sh", "zsh"), _ShReader),
    "fish": _FishReader,
    "csh": _CshReader,
    "powershell": _PowerShellReader,
}


# ---- files that are no programs

_LINES = {
    "fish_variables": re.compile(
        rf"(?P<verb>SETUVAR|SET|SET_EXPORT)(?P<flags>(?: --\w+)*) (?P<name>{_NAME}):(?P<value>.*)"
    ),
    "systemd": re.compile(rf"[ \t]*(?P<name>{_NAME})[ \t]*=[ \t]*(?P<value>.+)"),
    "pam": re.compile(rf"[ \t]*(?:export )?(?P<name>{_NAME})(?:=|[ \t]+(?:DEFAULT|OVERRIDE)=)(?P<value>.*)"),
}


def _line_steps(text: str, kind: str, budget: _Budget) -> Iterator[_Step]:
    is_fish, is_continued = kind == "fish_variables", False
    for number, line in enumerate(text.split("\n"), 1):
        if not budget.spend(1):
            return
        found = None if is_continued else _LINES[kind].match(line)
        is_continued = line.endswith("\\") and not is_fish
        if found is None:
            continue
        value = "" if found["value"] == r"\x1d" else found["value"]  # a list without members
        scope = "U" if is_fish else ""
        yield _Step("assign", found["name"], number, (value,), scope)
        if not is_fish or "--export" in found["flags"] or found["verb"] == "SET_EXPORT":
            yield _Step("export", found["name"], number, scope=scope)
