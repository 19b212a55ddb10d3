"""The script for zsh, from 5.0 on; by its own completion system, so that its styles hold."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kimi_profiles.completion.line import Command, CommandLine, Option, Value

__all__ = ["zsh_script"]

_SCRIPT = r"""#compdef kimi-profiles
# zsh completion for kimi-profiles, made by: kimi-profiles completion zsh

# Names of profiles; the first argument is what else to ask `list` for, the others are for compadd.
_kimi_profiles_names() {
    local -a asked names
    local word value
    local -i i
    # An option is being typed: no argument is wanted.
    if [[ $PREFIX == -* ]]; then return 1; fi
    asked=(list --names)
    if [[ $1 == --all ]]; then asked+=(--all); fi
    shift
    for ((i = 2; i <= $#_kimi_profiles_words; i++)); do
        word=$_kimi_profiles_words[i]
        case $word in
            (--store=*|--home=*) value=${word#*=} word=${word%%=*} ;;
            (--store|--home) i+=1 value=${_kimi_profiles_words[i]-} ;;
            (*) continue ;;
        esac
        # What the shell would have to evaluate first is not looked at.
        if [[ $value == *[\$\`]* ]]; then return 1; fi
        if [[ $value == '~/'* ]]; then value=${(q)HOME}${value#\~}; fi
        asked+=("$word=${(Q)value}")
    done
    names=("${(@f)$(command kimi-profiles $asked 2>/dev/null </dev/null)}")
    # What no profile may be called is not offered.
    names=(${${names:#*[^A-Za-z0-9._-]*}:#-*})
    (($#names)) && compadd "$@" -a names
}

_kimi_profiles_all() { _kimi_profiles_names --all "$@" }
_kimi_profiles_own() { _kimi_profiles_names '' "$@" }

_kimi-profiles() {
    local curcontext=$curcontext context state state_descr line ret=1
    local -A opt_args
    local -a common entries _kimi_profiles_words
    _kimi_profiles_words=("${(@)words[1,CURRENT-1]}")
    common=(
@common@
    )
    _arguments -C $common '(-): :->command' '(-)*:: :->argument' && ret=0
    case $state in
        (command)
            entries=(
@commands@
            )
            _describe -t commands command entries && ret=0
            ;;
        (argument)
            curcontext=${curcontext%:*:*}:kimi-profiles-$words[1]:
            case $words[1] in
@cases@
            esac
            ;;
    esac
    return ret
}

if [[ ${zsh_eval_context[-1]-} == loadautofunc ]]; then
    _kimi-profiles "$@"
elif ((${+functions[compdef]})); then
    compdef _kimi-profiles kimi-profiles
else
    print -u2 'kimi-profiles: its completion comes after compinit'
fi
"""

_ACTIONS = {
    "file": "_files",
    "folder": "_files -/",
    "profile": "_kimi_profiles_all",
    "own": "_kimi_profiles_own",
    "program": " _command_names -e",
    "text": " ",
}


def zsh_script(line: CommandLine) -> str:
    """``line`` as a script for zsh, sourced after ``compinit``, or in ``fpath`` as ``_kimi-profiles``."""
    specs = [spec for option in line.options for spec in _specs(option)]
    commands = [_quoted(f"{command.name}:{_escaped(command.summary)}") for command in line.commands]
    script = _SCRIPT.replace("@common@", "\n".join(f"        {spec}" for spec in specs))
    script = script.replace("@commands@", "\n".join(f"                {text}" for text in commands))
    return script.replace("@cases@", "\n".join(_case(command) for command in line.commands))


def _case(command: Command) -> str:
    specs = [spec for option in command.options for spec in _specs(option)]
    specs += [_quoted(spec) for spec in _places(command)]
    lines = "".join(f" \\\n                        {spec}" for spec in specs)
    return f"""\
                ({command.name})
                    _arguments $common{lines} && ret=0
                    ;;"""


def _specs(option: Option) -> Iterator[str]:
    others = f"({' '.join(option.flags)})" if len(option.flags) > 1 else ""
    for flag in option.flags:
        value = "" if option.value is None else f":{_value(option.value)}"
        equals = "=" if value and flag.startswith("--") else ""
        yield _quoted(f"{others}{flag}{equals}[{_escaped(option.help)}]{value}")


def _places(command: Command) -> Iterator[str]:
    for number, value in enumerate(command.values, 1):
        is_last = number == len(command.values)
        if is_last and command.repeats:
            yield f"*:{':' if command.passes_on else ''}{_value(value)}"
        else:
            yield f"{number}:{_value(value)}"


def _value(value: Value) -> str:
    action = f"({' '.join(value.words)})" if value.kind == "words" else _ACTIONS[value.kind]
    return f"{_escaped(value.label)}:{action}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\\[\]:])", r"\\\1", text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
