"""Edits to TOML text by splicing. What is not spliced stays, to the character: comments, layout, line ends.

Each function gives the text that should do. Whether it says what was meant is for the caller to check: TOML
has more ways to write a table than are provided for here.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import chain, pairwise
from operator import itemgetter

from kimi_profiles.editing.values import written, written_key
from kimi_profiles.jsontext.splices import Splice, splice
from kimi_profiles.tomltext import read_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kimi_profiles.tomltext import Entry

__all__ = ["Key", "appended", "copied", "inserted", "removed", "renamed", "replaced"]

Key = tuple[str, ...]
"""The parts of a key, from the root of the document."""

_Span = tuple[int, int]


def replaced(text: str, entry: Entry, value: str) -> str:
    """``text`` with another value, written as TOML, in the place of that of ``entry``, which is no header."""
    return splice(text, [Splice(entry.value or 0, entry.end, value)])


def inserted(text: str, path: Key, value: str, *, base: Key) -> Iterator[str]:
    """``text`` with a key that it does not have, in every way that may do, the closest to its kin first.

    Args:
        text: A TOML document.
        path: The new key.
        value: Its value, written as TOML.
        base: The first parts of ``path``: the table in which kin is looked for.
    """
    layout = _Layout(text)
    for length in range(len(path) - 1, len(base) - 1, -1):
        has_kin = False
        for index, entry in reversed(list(enumerate(layout.entries))):
            if entry.path[:length] != path[:length]:
                continue
            if entry.is_header:
                if len(entry.path) == length and not entry.is_list:
                    yield layout.with_line(layout.last_of_section(index), path[length:], value)
            elif len(entry.path) == length and text[entry.value or 0] == "{":
                yield layout.with_member(index, path[length:], value)
            elif len(entry.table) < length and not has_kin:
                has_kin = True
                yield layout.with_sibling(entry, path[len(entry.table) :], value)
    yield layout.with_table(path, value, base)


def removed(text: str, path: Key) -> str:
    """``text`` without a key and all below it; with a table goes the comment right above its header."""
    layout = _Layout(text)
    blocks, lines, members = layout.belonging(path)
    splices = [Splice(*layout.with_blank_lines(block), "") for block in layout.joined(blocks)]
    splices += [Splice(*layout.with_line_end(line), "") for line in _touching(lines)]
    for holder, gone in members.items():
        splices += layout.without_members(holder, gone)
    return splice(text, sorted(splices))


def renamed(text: str, path: Key, new: str, values: Mapping[Key, str]) -> str:
    """``text`` with the last part of a key called ``new`` wherever it is written.

    Args:
        text: A TOML document.
        path: The key.
        new: What its last part becomes.
        values: Further keys, by their old paths, and the texts that become their values.
    """
    layout = _Layout(text)
    splices = layout.renaming(path, new)
    for entry in layout.entries:
        if entry.value is not None and entry.path in values:
            splices.append(
                Splice(entry.value, entry.end, _as(text[entry.value : entry.end], values[entry.path]))
            )
    return splice(text, sorted(splices))


def copied(text: str, path: Key, new: str) -> str:
    """``text`` with a copy of a key and all below it right behind it, its last part called ``new``."""
    layout = _Layout(text)
    blocks, lines, members = layout.belonging(path)
    renaming = layout.renaming(path, new)  # in the order of the text

    def copy_of(span: _Span) -> str:
        first, last = (bisect_left(renaming, place, key=itemgetter(0)) for place in span)
        moved = [Splice(start - span[0], end - span[0], name) for start, end, name in renaming[first:last]]
        return splice(text[slice(*span)], moved)

    splices = []
    if blocks:
        copies = [copy_of(block) for block in layout.joined(blocks)]
        splices.append(layout.line_splice(blocks[-1][1], "", *_separated(copies)))
    splices += [layout.line_splice(run[-1][1], *map(copy_of, run)) for run in _runs(text, lines)]
    for entry in chain.from_iterable(members.values()):
        splices += [Splice(entry.end, entry.end, ", " + copy_of((entry.start, entry.end)))]
    return splice(text, sorted(splices))


def appended(text: str, section: str) -> str:
    """``text`` with one more section behind a blank line at its end; it gets the line ends of ``text``."""
    layout = _Layout(text)
    lines = section.removesuffix("\n").split("\n")
    is_apart = not text.strip() or text.endswith(("\n\n", "\n\r\n"))
    return splice(text, [layout.line_splice(len(text), *([] if is_apart else [""]), *lines, is_closed=True)])


class _Layout:
    """A text, its keys and its lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.entries = read_entries(text)
        first = text.find("\n")
        self.newline = "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"

    def line_start(self, position: int) -> int:
        return self.text.rfind("\n", 0, position) + 1

    def line_end(self, position: int) -> int:
        """Behind the line end of the line in which ``position`` is."""
        return self.text.find("\n", position) + 1 or len(self.text)

    def line_splice(self, position: int, *lines: str, is_closed: bool = False) -> Splice:
        """Insert whole lines, given without their ends or with them, where a line begins or the text ends."""
        whole = [line.removesuffix("\n").removesuffix("\r") for line in lines]
        if position and self.text[position - 1] != "\n":  # the last line has no end
            end = self.newline if is_closed else ""
            return Splice(position, position, self.newline + self.newline.join(whole) + end)
        return Splice(position, position, "".join(line + self.newline for line in whole))

    def last_of_section(self, header: int) -> Entry:
        """The last key of its section; the header if it has none."""
        last = header
        for index in range(header + 1, len(self.entries)):
            if self.entries[index].is_header:
                break
            if self.entries[index].holder is None:
                last = index
        return self.entries[last]

    def with_line(self, entry: Entry, key: Key, value: str) -> str:
        """The text with a key on a line of its own behind ``entry``."""
        start = self.line_start(entry.start)
        indent = self.text[start : entry.start]
        line = f"{indent}{written_key(*key)} = {value}"
        return splice(self.text, [self.line_splice(self.line_end(entry.end), line)])

    def with_member(self, holder: int, key: Key, value: str) -> str:
        """The text with a key in an inline table."""
        members = [entry for entry in self.entries if entry.holder == holder]
        if members:
            return self.with_sibling(members[-1], key, value)
        entry = self.entries[holder]
        return splice(
            self.text, [Splice((entry.value or 0) + 1, entry.end - 1, f" {written_key(*key)} = {value} ")]
        )

    def with_sibling(self, entry: Entry, key: Key, value: str) -> str:
        """The text with a key right behind ``entry``, relative to the same table."""
        if entry.holder is None:
            return self.with_line(entry, key, value)
        return splice(self.text, [Splice(entry.end, entry.end, f", {written_key(*key)} = {value}")])

    def with_table(self, path: Key, value: str, base: Key) -> str:
        """The text with a new section for one key, behind those below ``base``; else before all others."""
        lines = [f"[{written_key(*path[:-1])}]", f"{written_key(path[-1])} = {value}"]
        headers = [index for index, entry in enumerate(self.entries) if entry.is_header]
        kin = [index for index in headers if self.entries[index].path[: len(base)] == base]
        if kin:
            return splice(self.text, [self.line_splice(self.block(kin[-1])[1], "", *lines)])
        if headers:
            return splice(self.text, [self.line_splice(self.block(headers[0])[0], *lines, "")])
        return appended(self.text, "\n".join(lines))

    def block(self, header: int) -> _Span:
        """A section and the comment right above its header, unless the text begins with that."""
        start = self.line_start(self.entries[header].start)
        floor = max(
            (self.line_end(entry.end) for entry in self.entries[max(header - 1, 0) : header]), default=0
        )
        above = start
        while above > floor and self._is_comment(self.line_start(above - 1)):
            above = self.line_start(above - 1)
        end = self.line_end(self.last_of_section(header).end)
        below = end
        while below < len(self.text) and self._is_comment(below):
            below = self.line_end(below)
        is_of_next = self.text[below : self.line_end(below)].lstrip().startswith("[")
        return (start if above == 0 else above), (end if is_of_next else below)

    def _is_comment(self, start: int) -> bool:
        return self.text[start : self.line_end(start)].lstrip().startswith("#")

    def belonging(self, path: Key) -> tuple[list[_Span], list[_Span], dict[int, list[Entry]]]:
        """What of the text says ``path`` and all below it: sections, lines, members of inline tables."""
        blocks: list[_Span] = []
        lines: list[_Span] = []
        members: dict[int, list[Entry]] = {}
        for index, entry in enumerate(self.entries):
            if entry.path[: len(path)] != path:
                continue
            if entry.is_header:
                blocks.append(self.block(index))
            elif len(entry.table) >= len(path):
                continue  # what it stands in goes
            elif entry.holder is None:
                lines.append((self.line_start(entry.start), self.line_end(entry.end)))
            else:
                members.setdefault(entry.holder, []).append(entry)
        return blocks, lines, members

    def joined(self, blocks: Iterable[_Span]) -> list[_Span]:
        """The same with those as one that have only blank lines between them."""
        joined: list[_Span] = []
        for start, end in blocks:
            if joined and not self.text[joined[-1][1] : start].strip():
                joined[-1] = joined[-1][0], end
            else:
                joined.append((start, end))
        return joined

    def with_blank_lines(self, block: _Span) -> _Span:
        """The same with the blank lines that set it apart from one of its two neighbours."""
        start, end = block
        above = len(self.text[:start].rstrip())
        above = min(self.line_end(above), start) if above else 0
        below = len(self.text) - len(self.text[end:].lstrip())
        if below == len(self.text):
            return above, below
        return (start, self.line_start(below)) if above < start or start == 0 else block

    def with_line_end(self, line: _Span) -> _Span:
        """The same; the last line, if it has no end, with that of the line before."""
        start, end = line
        if end < len(self.text) or self.text.endswith("\n") or start == 0:
            return line
        return start - (2 if self.text[:start].endswith("\r\n") else 1), end

    def without_members(self, holder: int, gone: list[Entry]) -> Iterator[Splice]:
        """What takes members out of an inline table, commas included."""
        members = [entry for entry in self.entries if entry.holder == holder]
        names = {entry.start for entry in gone}
        kept = [entry for entry in members if entry.start not in names]
        if not kept:
            entry = self.entries[holder]
            yield Splice((entry.value or 0) + 1, entry.end - 1, "")
            return
        if kept[-1] is not members[-1]:
            yield Splice(kept[-1].end, members[-1].end, "")
        for entry, after in pairwise(members):
            if entry.start in names and entry.start < kept[-1].start:
                yield Splice(entry.start, after.start, "")

    def renaming(self, path: Key, new: str) -> list[Splice]:
        """What renames the last part of ``path`` wherever it is written."""
        found = []
        for entry in self.entries:
            index = len(path) - 1 - len(entry.table)
            if entry.path[: len(path)] == path and index >= 0:
                start, end = entry.parts[index]
                found.append(Splice(start, end, _as(self.text[start:end], new, is_key=True)))
        return found


def _as(old: str, new: str, *, is_key: bool = False) -> str:
    """``new``, a text that needs no escapes, between quotation marks like those of ``old``."""
    if old[:1] in {'"', "'"} and old[:3] not in {'"""', "'''"}:
        return f"{old[0]}{new}{old[0]}"
    return written_key(new) if is_key else written(new)


def _separated(blocks: list[str]) -> Iterator[str]:
    for index, block in enumerate(blocks):
        if index:
            yield ""
        yield from block.removesuffix("\n").split("\n")


def _touching(lines: Iterable[_Span]) -> list[_Span]:
    """``lines``, as one span those with nothing between them."""
    spans: list[_Span] = []
    for start, end in lines:
        if spans and spans[-1][1] == start:
            spans[-1] = spans[-1][0], end
        else:
            spans.append((start, end))
    return spans


def _runs(text: str, lines: list[_Span]) -> list[list[_Span]]:
    """``lines``, those together that have only blank lines between them."""
    runs: list[list[_Span]] = []
    for line in lines:
        if runs and not text[runs[-1][-1][1] : line[0]].strip():
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs
