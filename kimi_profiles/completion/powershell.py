"""The script for PowerShell, from 5.1 on.

It is ASCII throughout: Windows PowerShell reads the output of a program in the console's code page, in which
bytes of UTF-8 can become quotation marks.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kimi_profiles.completion.line import Command, CommandLine, Option, Value

__all__ = ["powershell_script"]

_SCRIPT = r"""# PowerShell completion for kimi-profiles, made by: kimi-profiles completion powershell

Register-ArgumentCompleter -Native -CommandName 'kimi-profiles' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # Option: its flags, what follows it ('' for nothing), what it is for.
    $common = @(
@common@
    )
    # Command: what it is for, its options, its arguments, whether the last one repeats, and from which
    # argument on all is for another program (-1: none).
    $commands = [ordered]@{
@commands@
    }

    $command = ''
    $pending = ''
    $places = 0
    $isEnded = $false
    $passedOn = -1
    $where = @()
    $isKnown = $true
    $options = $common
    # The words before the one at the cursor; one that would have to be evaluated is left as it is.
    foreach ($element in @($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $isPlain = $element -is [System.Management.Automation.Language.StringConstantExpressionAst]
        $word = if ($isPlain) { $element.Value } else { $element.Extent.Text }
        if ($pending) {
            if (@('--store', '--home') -ccontains $pending) {
                $where += "$pending=$word"
                $isKnown = $isKnown -and $isPlain
            }
            $pending = ''
        } elseif ($isEnded -or -not $word.StartsWith('-')) {
            if (-not $command) {
                $command = $word
                if ($commands.Contains($word)) {
                    $options = $common + $commands[$word].Options
                    $passedOn = $commands[$word].PassedOn
                }
            } else {
                $places += 1
                if ($passedOn -eq $places) { $isEnded = $true }
            }
        } elseif ($word -ceq '--') {
            $isEnded = $true
        } elseif ($word -cmatch '^--(store|home)=') {
            $where += $word
            $isKnown = $isKnown -and $word -notmatch '[$`"'']'
        } else {
            foreach ($option in $options) {
                if ($option.Kind -and $option.Flags -ccontains $word) { $pending = $word }
            }
        }
    }

    $start = ''
    $kind = ''
    $offers = @()
    if ($pending) {
        $kind = @($options | Where-Object { $_.Flags -ccontains $pending })[0].Kind
    } elseif (-not $isEnded -and $wordToComplete -cmatch '^(--[a-z-]+)=') {
        $start = $Matches[0]
        $flag = $Matches[1]
        foreach ($option in $options) { if ($option.Flags -ccontains $flag) { $kind = $option.Kind } }
    } elseif (-not $isEnded -and $wordToComplete.StartsWith('-')) {
        foreach ($option in $options) {
            foreach ($flag in $option.Flags) { $offers += , @($flag, $option.Help) }
        }
    } elseif (-not $command) {
        foreach ($name in $commands.Keys) { $offers += , @($name, $commands[$name].Summary) }
    } elseif ($commands.Contains($command)) {
        $all = @($commands[$command].Places)
        if ($places -lt $all.Count) { $kind = $all[$places] }
        elseif ($commands[$command].Repeats) { $kind = $all[-1] }
    }

    if (@(':profile', ':own') -ccontains $kind) {
        $program = Get-Command -Name 'kimi-profiles' -CommandType Application -ErrorAction Ignore |
            Select-Object -First 1
        if ($program -and $isKnown) {
            $asked = @('list', '--names') + $where
            if ($kind -ceq ':profile') { $asked += '--all' }
            # What no profile may be called is not offered: on the line the shell would evaluate it.
            foreach ($name in @($null | & $program @asked 2>$null)) {
                if ($name -cmatch '^[A-Za-z0-9_][A-Za-z0-9._-]*$') { $offers += , @($name, $name) }
            }
        }
    } elseif ($kind -and -not $kind.StartsWith(':')) {
        foreach ($name in $kind.Split(' ')) { $offers += , @($name, $name) }
    }
    # Where nothing is offered PowerShell itself offers files.
    foreach ($offer in $offers) {
        $text = $start + $offer[0]
        if ($text.StartsWith($wordToComplete, [System.StringComparison]::Ordinal)) {
            $hint = if ($offer[1]) { $offer[1] } else { $offer[0] }
            [System.Management.Automation.CompletionResult]::new($text, $offer[0], 'ParameterValue', $hint)
        }
    }
}
"""


def powershell_script(line: CommandLine) -> str:
    """``line`` as a script for PowerShell, to be sourced."""
    script = _SCRIPT.replace("@common@", _options(line.options, 8))
    return script.replace("@commands@", "\n".join(_command(command) for command in line.commands))


def _command(command: Command) -> str:
    options = f"\n{_options(command.options, 16)}\n            " if command.options else ""
    passed_on = len(command.values) - 1 if command.passes_on else -1
    return (
        f"        {_quoted(command.name)} = @{{\n"
        f"            Summary = {_quoted(command.summary)}\n"
        f"            Options = @({options})\n"
        f"            Places = @({', '.join(_quoted(_kind(value)) for value in command.values)})\n"
        f"            Repeats = {'$true' if command.repeats else '$false'}\n"
        f"            PassedOn = {passed_on}\n"
        f"        }}"
    )


def _options(options: Iterable[Option], indent: int) -> str:
    return "\n".join(
        f"{' ' * indent}@{{ Flags = @({', '.join(map(_quoted, option.flags))}); "
        f"Kind = {_quoted(_kind(option.value))}; Help = {_quoted(option.help)} }}"
        for option in options
    )


def _kind(value: Value | None) -> str:
    if value is None:
        return ""
    return " ".join(value.words) if value.kind == "words" else f":{value.kind}"


def _quoted(text: str) -> str:
    plain = text.replace("…", "...").replace("→", "->").encode("ascii", "replace").decode("ascii")
    return "'" + plain.replace("'", "''") + "'"
