"""Write what is made from something else: ``python docs/generate.py``.

``commands.md`` comes from the parsers that parse the command line, ``api.md`` from the docstrings of what
``kimi_profiles.__all__`` lists; ``catalogue.json`` is ``catalogue.toml`` in the form that is read fast.
Nothing is listed by hand, so none can be out of date without a test that says so. The text is the same on
every Python and every machine.
"""
# ruff: noqa: SLF001 - argparse has no public way to ask a parser what it takes

from __future__ import annotations

import inspect
import itertools
import json
import re
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kimi_profiles
from kimi_profiles import errors
from kimi_profiles.arguments import GROUPS, all_parsers

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Mapping

_PACKAGE = Path(kimi_profiles.__file__).parent
WIDTH = 110
_MADE = "<!-- Made by docs/generate.py; do not edit. -->\n\n"

# What is code in a plain text, and what Markdown would take for its own.
_CODE = re.compile(r"`[^`]*`")
_OPTION = re.compile(r"(?<![\w`-])--[a-z][a-z-]*(?:…| [A-Z]{2,}\b)?")
_SPECIAL = re.compile(r"([\\*<\[\]|])|(?<!\w)(_)|(_)(?!\w)")
# A section of a docstring in Google form, and the parts of reStructuredText that they use.
_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Source):")
_ROLE = re.compile(r":(?:mod:`()|[a-z]+:`~?([\w.]*\.)?)([\w.]+)`")


def commands_page() -> str:
    """The reference of the command line, as Markdown."""
    parsers = all_parsers()
    shared = {flag for action in parsers.common._actions for flag in action.option_strings}
    parts = [
        "# Commands",
        _prose(
            "`kimi-profiles COMMAND --help` says the same. `NAME` is a profile in your file, or a provider; "
            "a profile of the same name as a provider wins. [reference.md](reference.md) has the exit codes, "
            "the JSON and the profile file.",
            is_markdown=True,
        ),
        *(f"{title[0].upper()}{title[1:]}:\n\n{_commands_table(group)}" for title, group in GROUPS.items()),
        "## Options of every command",
        "Before or after the command's name; those of `run` before it, or before `NAME`.",
        _options_table(parsers.common._actions),
    ]
    for name, (_, parser) in parsers.commands.items():
        own = [action for action in parser._actions if not shared.intersection(action.option_strings)]
        parts += [f"## {name}", f"```text\n{parser.usage}\n```", *_paragraphs(parser.description or "")]
        if own:
            parts.append(_options_table(own, parser))
    return _MADE + "\n\n".join(parts) + "\n"


def _commands_table(commands: Mapping[str, str]) -> str:
    rows = [f"| [`{name}`](#{name}) | {_inline(does)} |" for name, does in commands.items()]
    return "\n".join(["| command | does |", "| --- | --- |", *rows])


def _options_table(actions: Iterable[argparse.Action], parser: argparse.ArgumentParser | None = None) -> str:
    rows = [f"| {_spelling(action)} | {_means(action, parser)} |" for action in actions]
    return "\n".join(["| argument | means |", "| --- | --- |", *rows])


def _spelling(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else None
    if value is None and action.choices is not None:
        value = "|".join(map(str, action.choices)).replace("|", "\\|")
    if not action.option_strings:
        return f"`{value or action.dest}`"
    flags = sorted(action.option_strings, key=len, reverse=True)
    if action.nargs == 0:
        value = None
    elif action.nargs == "?":
        value = f"[{value}]"
    return ", ".join(f"`{flag} {value}`" if value else f"`{flag}`" for flag in flags)


def _means(action: argparse.Action, parser: argparse.ArgumentParser | None) -> str:
    text = _inline(" ".join((action.help or "").replace("%%", "%").split()))
    for group in [] if parser is None else parser._mutually_exclusive_groups:
        members = group._group_actions
        others = [other.option_strings[-1] for other in members if other is not action]
        if action in members:
            text += (
                f"; not with `{others[0]}`" if len(others) == 1 else f"; at most one of these {len(members)}"
            )
    return text


def api_page() -> str:
    """The reference of the library, as Markdown."""
    names = sorted(kimi_profiles.__all__, key=str.lower)
    listed = ", ".join(f"[`{name}`](#{name.strip('_').lower()})" for name in names if name != "__version__")
    parts = [
        "# Python API",
        _prose(
            f"All that is promised, and nothing else: {listed}, and `__version__`, a text. "
            "[python.md](python.md) has the same by task, with examples.",
            is_markdown=True,
        ),
    ]
    for name in names:
        thing = getattr(kimi_profiles, name)
        if not isinstance(thing, str):
            parts += [f"## {name}", *(_class(thing) if isinstance(thing, type) else _function(name, thing))]
        if thing is errors.ProfilesError:
            parts.append(_errors_table())
    return _MADE + "\n\n".join(parts) + "\n"


def _errors_table() -> str:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    rows = [
        f"| `{kind.name}` | {'128 and the signal' if kind is errors.InterruptedRunError else kind.exit_code} "
        f"| `{kind.__name__}` | {_inline(_unmarked(inspect.cleandoc(kind.__doc__ or '').splitlines()[0]))} |"
        for kind in kinds
        if issubclass(kind, errors.ProfilesError) and kind is not errors.ProfilesError
    ]
    head = "### Kinds of errors\n\nThey are in `kimi_profiles.errors`.\n\n"
    return "\n".join([f"{head}| name | exit code | class | means |", "| --- | --- | --- | --- |", *rows])


def _class(kind: type) -> Iterator[str]:
    yield from _docstring(kind)
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"### {kind.__name__}.{name}"
            yield from _docstring(member)
        elif isinstance(member, classmethod) or inspect.isfunction(member):
            yield from _function(f"{kind.__name__}.{name}", getattr(kind, name), is_method=True)


def _function(name: str, function: Callable[..., Any], *, is_method: bool = False) -> Iterator[str]:
    if is_method:
        yield f"### {name}"
    yield f"```text\n{_signature(name, function)}\n```"
    yield from _docstring(function)


def _signature(name: str, function: Callable[..., Any]) -> str:
    """With the annotations as they are written, whatever Python makes of them."""
    signature = inspect.signature(function)
    arguments = []
    is_named_only = False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not is_named_only:
            is_named_only = True
            arguments.append("*")
        text = f"{parameter.name}: {parameter.annotation}"
        if parameter.default is not parameter.empty:
            text += f" = {parameter.default!r}"
        arguments.append(text)
    line = f"{name}({', '.join(arguments)}) -> {signature.return_annotation}"
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"    {argument},\n" for argument in arguments)
    return f"{name}(\n{inner}) -> {signature.return_annotation}"


def _docstring(thing: object) -> Iterator[str]:
    """A docstring in Google form as Markdown: paragraphs, and each section as a list."""
    text = inspect.cleandoc(thing.__doc__ or "")
    heading = ""
    for block in text.split("\n\n"):
        first, _, rest = block.partition("\n")
        section = _SECTION.fullmatch(first)
        if section is None and not heading:
            yield from _paragraphs(_unmarked(block))
        elif section is not None:
            heading = section[1]
            yield f"*{heading}*"
            yield (
                _entries(rest)
                if heading in {"Args", "Attributes", "Raises"}
                else _prose(_unmarked(_flat(rest)))
            )


def _entries(text: str) -> str:
    """``name: what it is``, a line each, further lines indented, as a list."""
    entries = re.split(r"^(?=\S)", textwrap.dedent(text), flags=re.MULTILINE)
    lines = []
    for entry in filter(None, entries):
        name, _, means = entry.partition(":")
        lines.append(_wrap(f"* `{name}`: {_inline(_unmarked(_flat(means)))}", hang="  "))
    return "\n".join(lines)


def _unmarked(text: str) -> str:
    """Without the marks of reStructuredText."""
    return re.sub(r"``(.+?)``", r"`\1`", _ROLE.sub(r"`\3`", text), flags=re.DOTALL)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of plain text as Markdown; what is indented is kept as it stands."""
    for block in text.split("\n\n"):
        lines = block.splitlines()
        words = [*itertools.takewhile(lambda line: not line.startswith(" "), lines)]
        if words:
            yield _prose(_flat(" ".join(words)))
        if lines[len(words) :]:
            kept = textwrap.dedent("\n".join(lines[len(words) :])).rstrip()
            yield f"```text\n{kept}\n```"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _prose(text: str, *, is_markdown: bool = False) -> str:
    return _wrap(text if is_markdown else _inline(text))


def _wrap(text: str, *, hang: str = "") -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False)


def _inline(text: str) -> str:
    """Plain text as Markdown: options become code, what Markdown would read as its own is escaped."""
    made, end = [], 0
    for span in _CODE.finditer(text):
        made += [_escaped(text[end : span.start()]), span[0]]
        end = span.end()
    return "".join([*made, _escaped(text[end:])])


def _escaped(text: str) -> str:
    text = _SPECIAL.sub(lambda match: f"\\{match[0]}", text)
    return _OPTION.sub(lambda match: f"`{match[0]}`", text)


def catalogue() -> str:
    """``catalogue.toml`` as JSON; dates as ISO 8601."""
    document = tomllib.loads((_PACKAGE / "catalogue.toml").read_text(encoding="utf-8"))
    return json.dumps(document, default=str, ensure_ascii=False, indent=1) + "\n"


PAGES = {
    "commands.md": commands_page,
    "api.md": api_page,
    "../kimi_profiles/catalogue.json": catalogue,
}
"""File in ``docs`` → what makes it."""


def main() -> None:
    """Write them all."""
    for name, make in PAGES.items():
        (Path(__file__).parent / name).write_text(make(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
