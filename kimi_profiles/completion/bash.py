"""The script for bash, from 3.2 on (4.0 for file names and nothing else where one is wanted)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kimi_profiles.completion.line import CommandLine, Value

__all__ = ["bash_script"]

# `compgen -W` and `eval` would expand what they are given; neither is used. Words are compared one by one.
_SCRIPT = r"""# bash completion for kimi-profiles, made by: kimi-profiles completion bash

# What follows option $2 of command $1, in `kind`; fails where nothing does.
_kimi_profiles_value() {
    case "$1 $2" in
@values@
        *) return 1 ;;
    esac
}

# What argument number $2 of command $1 is, counted from 0, in `kind`.
_kimi_profiles_place() {
    case "$1 $2" in
        ' '*) kind='@commands@' ;;
@places@
        *) kind=: ;;
    esac
}

# The options of command $1, in `kind`.
_kimi_profiles_options() {
    kind='@common@'
    case $1 in
@options@
    esac
}

# Whether argument number $2 of command $1 is for another program.
_kimi_profiles_passed_on() {
    case "$1 $2" in
@passed@
        *) return 1 ;;
    esac
}

# Word $1 without its quotes, in `plain`; fails where the shell would have to evaluate it.
_kimi_profiles_plain() {
    local text=$1 quoted
    plain=
    if [[ $text == '~/'* ]]; then
        plain=$HOME text=${text:1}
    fi
    while [[ -n $text ]]; do
        case $text in
            \\*) plain+=${text:1:1} text=${text:2} ;;
            \'*)
                text=${text:1}
                [[ $text == *\'* ]] || return 1
                plain+=${text%%\'*} text=${text#*\'}
                ;;
            \"*)
                quoted=${text:1}
                quoted=${quoted%%\"*}
                [[ ${text:1} == *\"* && $quoted != *[\\\$\`]* ]] || return 1
                plain+=$quoted text=${text:${#quoted}+2}
                ;;
            [\$\`]*) return 1 ;;
            *) plain+=${text:0:1} text=${text:1} ;;
        esac
    done
}

_kimi_profiles_names() {
    local -a asked=(list --names)
    local word plain i
    if [[ $1 == :profile ]]; then asked+=(--all); fi
    for ((i = 0; i < ${#where[@]}; i += 2)); do
        _kimi_profiles_plain "${where[i + 1]}" || return 0
        asked+=("${where[i]}=$plain")
    done
    while IFS= read -r word; do
        word=${word%$'\r'}
        # What no profile may be called is not offered: on the line the shell would evaluate it.
        if [[ $word == "$cur"* && -n $word && $word != *[!A-Za-z0-9._-]* && $word != -* ]]; then
            COMPREPLY+=("$prefix$word")
        fi
    done < <(command kimi-profiles "${asked[@]}" 2>/dev/null </dev/null)
}

_kimi_profiles() {
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} rest word cur prefix='' kind=: command='' pending=''
    local ended='' i last places=0
    local -a words=() where=()
    COMPREPLY=()
    # bash splits at = and : too. What stands on the line without a blank between is one word.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        rest=${line#"${line%%[![:space:]]*}"}
        if [[ -z ${line//[[:space:]]/} ]]; then rest=; fi
        word=${COMP_WORDS[i]-}
        if ((i == COMP_CWORD)); then word=$rest; fi
        if ((${#words[@]})) && [[ $rest == "$line" ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        line=${rest#"$word"}
    done
    last=$((${#words[@]} - 1))
    cur=${words[last]}
    for ((i = 1; i < last; i++)); do
        word=${words[i]}
        if [[ -n $pending ]]; then
            if [[ $pending == --store || $pending == --home ]]; then where+=("$pending" "$word"); fi
            pending=
        elif [[ -n $ended || $word != -* ]]; then
            if [[ -z $command ]]; then
                command=$word
            else
                places=$((places + 1))
                if _kimi_profiles_passed_on "$command" "$places"; then ended=1; fi
            fi
        elif [[ $word == -- ]]; then
            ended=1
        elif [[ $word == --store=* || $word == --home=* ]]; then
            where+=("${word%%=*}" "${word#*=}")
        elif _kimi_profiles_value "$command" "$word"; then
            pending=$word
        fi
    done
    if [[ -n $pending ]]; then
        _kimi_profiles_value "$command" "$pending"
    elif [[ -z $ended && $cur == --*=* ]]; then
        _kimi_profiles_value "$command" "${cur%%=*}" || return 0
        if [[ $COMP_WORDBREAKS != *=* ]]; then prefix=${cur%%=*}=; fi
        cur=${cur#*=}
    elif [[ -z $ended && $cur == -* ]]; then
        _kimi_profiles_options "$command"
    else
        _kimi_profiles_place "$command" "$places"
    fi
    cur=${cur#[\'\"]}
    case $kind in
        :) ;;
        :file) compopt -o default 2>/dev/null || return 0 ;;
        :folder) compopt -o dirnames 2>/dev/null || return 0 ;;
        :program)
            while IFS= read -r word; do
                if [[ $word != *[!A-Za-z0-9._+-]* ]]; then COMPREPLY+=("$prefix$word"); fi
            done < <(compgen -c -- "$cur")
            ;;
        :*) _kimi_profiles_names "$kind" ;;
        *)
            for word in $kind; do
                if [[ $word == "$cur"* ]]; then COMPREPLY+=("$prefix$word"); fi
            done
            ;;
    esac
    return 0
}

# bash 3.2 has no compopt: there file names are offered wherever nothing else is.
if ((BASH_VERSINFO[0] < 4)); then
    complete -o default -F _kimi_profiles kimi-profiles
else
    complete -F _kimi_profiles kimi-profiles
fi
"""


def bash_script(line: CommandLine) -> str:
    """``line`` as a script for bash, to be sourced."""
    parts = {
        "values": "\n".join(_values(line)),
        "commands": " ".join(command.name for command in line.commands),
        "places": "\n".join(_places(line)),
        "common": " ".join(flag for option in line.options for flag in option.flags),
        "options": "\n".join(_options(line)),
        "passed": "\n".join(_passed(line)),
    }
    script = _SCRIPT
    for name, text in parts.items():
        script = script.replace(f"@{name}@" if text else f"@{name}@\n", text)
    return script


def _values(line: CommandLine) -> Iterator[str]:
    for command, option in line.all_options():
        if option.value is not None:
            start = f"'{command}" if command else "*'"
            patterns = " | ".join(f"{start} {flag}'" for flag in option.flags)
            yield f"        {patterns}) kind={_kind(option.value)} ;;"


def _places(line: CommandLine) -> Iterator[str]:
    for command in line.commands:
        for number, value in enumerate(command.values):
            yield f"        '{command.name} {number}') kind={_kind(value)} ;;"
        if command.repeats:
            yield f"        '{command.name} '*) kind={_kind(command.values[-1])} ;;"


def _options(line: CommandLine) -> Iterator[str]:
    for command in line.commands:
        flags = [flag for option in command.options for flag in option.flags]
        if flags:
            yield f"        {command.name}) kind+=' {' '.join(flags)}' ;;"


def _passed(line: CommandLine) -> Iterator[str]:
    for command in line.commands:
        if command.passes_on:
            yield f"        '{command.name} {len(command.values) - 1}') ;;"


def _kind(value: Value) -> str:
    if value.kind == "words":
        return f"'{' '.join(value.words)}'"
    return ":" if value.kind == "text" else f":{value.kind}"
