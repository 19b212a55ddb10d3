"""The script for fish, from 3.0 on."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kimi_profiles.completion.line import Command, CommandLine, Option, Value

__all__ = ["fish_script"]

_SCRIPT = r"""# fish completion for kimi-profiles, made by: kimi-profiles completion fish

function __kimi_profiles_takes_value
    switch "$argv"
        case @values@
            return 0
    end
    return 1
end

# The command before the cursor, how many arguments it has, and whether options may follow: "apply 0 open".
function __kimi_profiles_place
    set -l command
    set -l places 0
    set -l pending
    set -l state open
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        if test -n "$pending"
            set pending
        else if test $state = ended; or not string match -q -- '-*' $word
            if test -z "$command"
                set command $word
            else
                set places (math $places + 1)
                if contains -- "$command $places" @passed@
                    set state ended
                end
            end
        else if test "$word" = --
            set state ended
        else if __kimi_profiles_takes_value "$command" $word
            set pending $word
        end
    end
    echo "$command $places $state"
end

function __kimi_profiles_at
    string match -q -- "$argv[1] $argv[2] *" (__kimi_profiles_place)
end

function __kimi_profiles_from
    set -l place (string split ' ' -- (__kimi_profiles_place))
    test "$place[1]" = $argv[1]; and test $place[2] -ge $argv[2]
end

function __kimi_profiles_open
    string match -q -- "$argv[1] * open" (__kimi_profiles_place)
end

function __kimi_profiles_names
    # fish asks also where an option is being typed, and complains where there is no such program.
    if string match -q -- '-*' (commandline -ct); or not command -q kimi-profiles
        return
    end
    set -l asked list --names $argv
    set -l words (commandline -opc)
    set -l option
    for word in $words[2..-1]
        set -l value
        if test -n "$option"
            set value $word
        else if string match -q -- '--store' $word; or string match -q -- '--home' $word
            set option $word
            continue
        else if string match -q -- '--store=*' $word; or string match -q -- '--home=*' $word
            set option (string split -m 1 = -- $word)[1]
            set value (string split -m 1 = -- $word)[2]
        else
            continue
        end
        if string match -q -- '~/*' $value
            set value $HOME(string sub -s 2 -- $value)
        end
        set -a asked "$option=$value"
        set option
    end
    # What no profile may be called is not offered.
    command kimi-profiles $asked 2>/dev/null </dev/null | string match -r -- '^[A-Za-z0-9_][A-Za-z0-9._-]*$'
end

complete -c kimi-profiles -e
complete -c kimi-profiles -f
@lines@
"""


def fish_script(line: CommandLine) -> str:
    """``line`` as a script for fish, to be sourced or kept in its folder ``completions``."""
    values = [
        f"'{command or '*'} {flag}'"
        for command, option in line.all_options()
        if option.value is not None
        for flag in option.flags
    ]
    passed = [f"'{command.name} {len(command.values) - 1}'" for command in line.commands if command.passes_on]
    script = _SCRIPT.replace("@values@", " ".join(values) or "''")
    script = script.replace("@passed@", " ".join(passed) or "''")
    return script.replace("@lines@", "\n".join(_lines(line)))


def _lines(line: CommandLine) -> Iterator[str]:
    for option in line.options:
        yield _option(option, "'*'")
    for command in line.commands:
        summary = _quoted(command.summary)
        yield f"complete -c kimi-profiles -n \"__kimi_profiles_at '' 0\" -a {command.name} -d {summary}"
        for option in command.options:
            yield _option(option, command.name)
        yield from _places(command)


def _option(option: Option, command: str) -> str:
    flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
    value = "" if option.value is None else f" {_value(option.value, '-x', '-r -F')}"
    return (
        f'complete -c kimi-profiles -n "__kimi_profiles_open {command}" {flags}{value}'
        f" -d {_quoted(option.help)}"
    )


def _places(command: Command) -> Iterator[str]:
    for number, value in enumerate(command.values):
        if value.kind != "text":
            is_rest = command.repeats and number == len(command.values) - 1
            place = f"{'from' if is_rest else 'at'} {command.name} {number}"
            yield (f'complete -c kimi-profiles -n "__kimi_profiles_{place}" {_value(value, "-f", "-F")}')


def _value(value: Value, required: str, file: str) -> str:
    if value.kind == "file":
        return file
    actions = {
        "words": " ".join(value.words),
        "folder": "(__fish_complete_directories)",
        "profile": "(__kimi_profiles_names --all)",
        "own": "(__kimi_profiles_names)",
        "program": "(__fish_complete_command)",
    }
    return f"{required} -a {_quoted(actions[value.kind])}" if value.kind in actions else required


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
