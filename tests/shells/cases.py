"""Start-up files, and the lines of them that put KEY into the environment of the programs a shell starts.

``test_rc`` asks the real shells, ``tests/unit/test_shellrc.py`` asks us alone. In every text ``@`` stands for
its own place, ``FILE:LINE``: where a shell shows the variable, it shows by which line it was set.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

SH = "bash sh zsh"
BASH_ZSH = "bash zsh"


class Case(NamedTuple):
    """One start-up file.

    Attributes:
        shells: Who reads it, divided by blanks.
        text: The file, which is called ``rc`` here.
        places: Where KEY is set and exported, in the order in which it happens; the shell shows the last one.
        others: More files, by their place in the home.
    """

    shells: str
    text: str
    places: str = ""
    others: Mapping[str, str] = MappingProxyType({})


def written(text: str, name: str) -> str:
    """The text with its places filled in."""
    return "".join(
        line.replace("@", f"{name}:{n}") for n, line in enumerate(text.splitlines(keepends=True), 1)
    )


# ---- sh, bash, zsh

PLAIN = {
    "export with a value": Case(SH, "export KEY=@\n", "rc:1"),
    "not on the first line": Case(SH, "# mine\n\nexport KEY=@\n", "rc:3"),
    "no line end": Case(SH, "export KEY=@", "rc:1"),
    "indented": Case(SH, "\t  export KEY=@\n", "rc:1"),
    "several on one line": Case(SH, "export A=1 KEY=@ B=2\n", "rc:1"),
    "after a semicolon": Case(SH, "A=1; export KEY=@; B=2\n", "rc:1"),
    "assigned, then exported": Case(SH, "KEY=@\nexport KEY\n", "rc:1"),
    "assigned, then exported, on one line": Case(SH, "KEY=@ ; export KEY\n", "rc:1"),
    "exported, then assigned": Case(SH, "export KEY\nKEY=@\n", "rc:2"),
    "assigned twice": Case(SH, "export KEY=@\nKEY=@\n", "rc:1 rc:2"),
    "appended to": Case("bash", "export KEY+=@\n", "rc:1"),
    "never exported": Case(SH, "KEY=@\n"),
    "exported, never assigned": Case(SH, "export KEY\n"),
    "another name that begins alike": Case(SH, "export KEY_OLD=@ KEYS=@ KEY2=@\n"),
    "another name that ends alike": Case(SH, "export MY_KEY=@ _KEY=@\n"),
    "another case": Case(SH, "export key=@ Key=@\n"),
    "a value with the name in it": Case(SH, "export OTHER=KEY=@\n"),
    "a blank after the name": Case(SH, "KEY =@\n"),
    "empty": Case(SH, "export KEY=\n", "rc:1"),
    "empty text": Case(SH, "export KEY=''\n", "rc:1"),
    "empty text in double quotes": Case(SH, 'KEY=""\nexport KEY\n', "rc:1"),
    "CRLF": Case(BASH_ZSH, "export A=1\r\nexport KEY=@\r\n", "rc:2"),
    "CRLF after a bare name": Case(SH, "KEY=@\nexport KEY\r\n"),
}

UNDONE = {
    "unset": Case(SH, "export KEY=@\nunset KEY\n"),
    "unset -v": Case(SH, "export KEY=@\nunset -v KEY\n"),
    "unset among others": Case(SH, "export KEY=@\nunset A KEY B\n"),
    "unset of a function of that name": Case(SH, "export KEY=@\nunset -f KEY\n", "rc:1"),
    "unset of another": Case(SH, "export KEY=@\nunset KEY_OLD\n", "rc:1"),
    "unset, then set anew": Case(SH, "export KEY=@\nunset KEY\nexport KEY=@\n", "rc:3"),
    "unset also forgets the export": Case(SH, "export KEY=@\nunset KEY\nKEY=@\n"),
    "export -n": Case("bash", "export KEY=@\nexport -n KEY\n"),
    "export -n with a value": Case("bash", "export -n KEY=@\n"),
    "declare +x": Case("bash", "export KEY=@\ndeclare +x KEY\n"),
    "typeset +x": Case(BASH_ZSH, "export KEY=@\ntypeset +x KEY\n"),
    "unset before": Case(SH, "unset KEY\nexport KEY=@\n", "rc:2"),
}

DECLARED = {
    "declare -x": Case(BASH_ZSH, "declare -x KEY=@\n", "rc:1"),
    "declare": Case(BASH_ZSH, "declare KEY=@\n"),
    "declare, then export": Case(BASH_ZSH, "declare KEY=@\nexport KEY\n", "rc:1"),
    "declare -x of what is assigned": Case(BASH_ZSH, "KEY=@\ndeclare -x KEY\n", "rc:1"),
    "declare -rx": Case(BASH_ZSH, "declare -rx KEY=@\n", "rc:1"),
    "declare -r -x": Case(BASH_ZSH, "declare -r -x KEY=@\n", "rc:1"),
    "typeset -gx": Case(BASH_ZSH, "typeset -gx KEY=@\n", "rc:1"),
    "typeset -x": Case(BASH_ZSH, "typeset -x KEY=@\n", "rc:1"),
    "readonly": Case(SH, "readonly KEY=@\n"),
    "readonly, then export": Case(SH, "readonly KEY=@\nexport KEY\n", "rc:1"),
    "export --": Case(BASH_ZSH, "export -- KEY=@\n", "rc:1"),
    "export -p": Case(SH, "KEY=@\nexport -p >/dev/null\n"),
    "export -f": Case("bash", "KEY() { :; }\nexport -f KEY\n"),
    "builtin export": Case(BASH_ZSH, "builtin export KEY=@\n", "rc:1"),
    "command export": Case("bash sh", "command export KEY=@\n", "rc:1"),
    "local where there is no function": Case("bash", "local -x KEY=@\n"),
    "read": Case(BASH_ZSH, "read -r KEY < ~/secret\nexport KEY\n", "rc:1", {"secret": "rc:1\n"}),
    "set unless it is set": Case(SH, ': "${KEY:=@}"\nexport KEY\n', "rc:1"),
    "set -a": Case(SH, "set -a\nKEY=@\nset +a\n", "rc:2"),
    "set -a is over": Case(SH, "set -a\nset +a\nKEY=@\n"),
    "set -o allexport": Case(SH, "set -o allexport\nKEY=@\nset +o allexport\n", "rc:2"),
    "set -ea": Case(SH, "set -ua\nKEY=@\nset +ua\n", "rc:2"),
    "setopt allexport": Case("zsh", "setopt ALL_EXPORT\nKEY=@\nunsetopt allexport\n", "rc:2"),
    "set -- is no option": Case(SH, "set -- -a\nKEY=@\n"),
}

QUOTES = {
    "value in double quotes": Case(SH, 'export KEY="@"\n', "rc:1"),
    "value in single quotes": Case(SH, "export KEY='@'\n", "rc:1"),
    "argument in quotes": Case(SH, "export \"KEY=@\"\nexport 'A=1'\n", "rc:1"),
    "name in quotes": Case("bash sh", 'export "KEY"=@\n', "rc:1"),
    "an assignment in quotes is a command": Case(SH, '"KEY=@"\nexport KEY\n'),
    "the name continues on the next line": Case(SH, "export KE\\\nY=rc:1\n", "rc:1"),
    "continued": Case(SH, "export \\\n  A=1 \\\n  KEY=@ \\\n  B=2\n", "rc:3"),
    "an escaped backslash continues nothing": Case(SH, "echo \\\\\nexport KEY=@\n", "rc:2"),
    "a comment is not continued": Case(SH, "# A \\\nexport KEY=@\n", "rc:2"),
    "comment": Case(SH, "#export KEY=@\n  # export KEY=@\n"),
    "comment after a command": Case(SH, "export A=1 # KEY=@\n"),
    "comment after an operator": Case(SH, "export A=1;#export KEY=@\n"),
    "no comment within a word": Case(SH, "export A=a#b KEY=@\n", "rc:1"),
    "a quote in a comment": Case(SH, "# it's\nexport KEY=@\n# isn't\n", "rc:2"),
    "in a text": Case(SH, 'echo "export KEY=@" >/dev/null\n'),
    "in a text of several lines": Case(SH, "A='\nexport KEY=@\n'\n"),
    "in a double-quoted text of several lines": Case(SH, 'A="\nexport KEY=@\n"\n'),
    "after a text of several lines": Case(SH, 'A="\nx\n"\nexport KEY=@\n', "rc:4"),
    "single quotes in double quotes": Case(SH, 'A="it\'s"\nexport KEY=@\nB="isn\'t"\n', "rc:2"),
    "double quotes in single quotes": Case(SH, "A='5\"'\nexport KEY=@\nB='6\"'\n", "rc:2"),
    "escaped quotes": Case(SH, "A=\\'\nexport KEY=@\nB=\\\"\n", "rc:2"),
    "escaped quotes in quotes": Case(SH, 'A="\\""\nexport KEY=@\nB="\\""\n', "rc:2"),
    "no escapes in single quotes": Case(SH, "A='\\'\nexport KEY=@\nB='\\'\n", "rc:2"),
    "escapes in dollar quotes": Case(BASH_ZSH, "A=$'it\\'s'\nexport KEY=@\nB=$'\\''\n", "rc:2"),
    "alias": Case(SH, "alias x='KEY=@ claude'\nalias y=\"export KEY=@\"\n"),
    "for one command only": Case(SH, "KEY=@ true\nexport KEY\n"),
    "for one command only, exported": Case(SH, "KEY=@ true\n"),
    "beside another assignment": Case(SH, "A=1 KEY=@\nexport KEY\n", "rc:1"),
    "a redirection after it": Case(SH, "KEY=@ 2>/dev/null\nexport KEY >/dev/null 2>&1\n", "rc:1"),
    "name of a file to write to": Case(SH, "export A=1 >KEY=@\nrm -f KEY=*\n"),
    "env": Case(SH, "env KEY=@ true\n"),
    "argument of another command": Case(SH, "echo export KEY=@ >/dev/null\n"),
}

NESTED = {
    "value from a command": Case(SH, 'export KEY="$(echo "@")"\n', "rc:1"),
    "value from a command that quotes": Case(
        SH, 'export KEY="$(echo @ | tr -d \'\\"\')"\nexport A="it\'s"\n', "rc:1"
    ),
    "value from backticks": Case(SH, "export KEY=`echo @`\n", "rc:1"),
    "quotes in backticks": Case(SH, 'A=`echo "it\'s"`\nexport KEY=@\nB=`echo "it\'s"`\n', "rc:2"),
    "in a substitution": Case(SH, "A=$(export KEY=@; echo 1)\n"),
    "in a substitution of several lines": Case(SH, 'A="$(\nexport KEY=@\n)"\n'),
    "in a subshell": Case(SH, "(export KEY=@)\n"),
    "in a subshell of several lines": Case(SH, "(\n  export KEY=@\n)\nexport A=1\n"),
    "after a subshell": Case(SH, "(cd / && true)\nexport KEY=@\n", "rc:2"),
    "comment in a substitution": Case(SH, "A=$(echo 1 # it's\n)\nexport KEY=@\n", "rc:3"),
    "here-document in a substitution": Case(SH, "A=$(cat <<'E'\nit's )\nE\n)\nexport KEY=@\n", "rc:5"),
    "case in a substitution": Case(SH, "A=$(case x in if|a) :;; x) : ;; esac; export KEY=@; echo esac)\n"),
    "default value with a quote": Case("sh zsh", 'A="${B:-it\'s}"\nexport KEY=@\nC="${D:-isn\'t}"\n', "rc:2"),
    "default value in quotes": Case("bash", 'A="${B:-\'}"\'}"\nexport KEY=@\n', "rc:2"),
    "brace in a default value": Case(SH, 'A=${B:-"}"}\nexport KEY=@\n', "rc:2"),
    "hash of a length": Case(SH, "A=${#HOME} B=$#; export KEY=@\n", "rc:1"),
    "arithmetic": Case(SH, "A=$((1 << 2))\nexport KEY=@\n", "rc:2"),
    "arithmetic with parentheses": Case(SH, "A=$(( (1 + 2) * (3 << 1) )); export KEY=@\n", "rc:1"),
    "arithmetic command": Case(BASH_ZSH, "((A = 1 << 2))\nexport KEY=@\n", "rc:2"),
    "arithmetic loop": Case(BASH_ZSH, "for ((i = 0; i < 2; i++)); do export KEY=@; done\n", "rc:1"),
    "process substitution": Case(BASH_ZSH, "cat <(export KEY=@; echo 'a)') >/dev/null\nexport A=1\n"),
    "list": Case(BASH_ZSH, "A=(\n  KEY=@\n  'b)'\n)\nexport KEY\n"),
    "list, then export": Case(BASH_ZSH, "A=(a b)\nexport KEY=@\n", "rc:2"),
    "a list is not exported": Case(BASH_ZSH, "KEY=(@)\nexport KEY\n"),
    "deep": Case(SH, 'A="$(echo "$(echo "$(echo ")")")")"\nexport KEY=@\n', "rc:2"),
}

HERE_DOCUMENTS = {
    "here-document": Case(SH, "cat <<E >/dev/null\nexport KEY=@\nE\n"),
    "after a here-document": Case(SH, "cat <<E >/dev/null\nit's\nE\nexport KEY=@\n", "rc:4"),
    "after nothing but a here-document": Case(SH, "cat <<E\nx\nE\nexport KEY=@\n", "rc:4"),
    "here-document at the end of a function": Case(SH, "f() {\ncat <<E\nx\nE\n}\nexport KEY=@\n", "rc:6"),
    "on the line of a here-document": Case(SH, "cat <<E >/dev/null; export KEY=@\nx\nE\n", "rc:1"),
    "quoted end": Case(SH, "cat <<'E F' >/dev/null\nexport KEY=@\nE F\nexport A=1\n"),
    "escaped end": Case(SH, "cat <<\\E >/dev/null\nexport KEY=@\nE\n"),
    "indented end": Case(SH, "cat <<-E >/dev/null\n\texport KEY=@\n\tE\nexport A=1\n"),
    "after an indented end": Case(SH, "cat <<-E >/dev/null\n\tx\n\tE\nexport KEY=@\n", "rc:4"),
    "an indented end that does not count": Case(SH, "cat <<E >/dev/null\n\tE\nexport KEY=@\nE\n"),
    "two on one line": Case("bash sh", "cat <<E <<F >/dev/null\nx\nE\nexport KEY=@\nF\n"),
    "end with more behind it": Case(SH, "cat <<E >/dev/null\nE x\nexport KEY=@\nE\n"),
    "here-string": Case(BASH_ZSH, "cat <<<E >/dev/null\nexport KEY=@\n", "rc:2"),
    "no end": Case("bash sh", "cat <<E >/dev/null\nexport KEY=@\n"),
}

BLOCKS = {
    "if": Case(SH, "if true; then\n  export KEY=@\nfi\n", "rc:2"),
    "if on one line": Case(SH, "if true; then export KEY=@; fi\n", "rc:1"),
    "else": Case(SH, "if false; then A=1; else export KEY=@; fi\n", "rc:1"),
    "elif": Case(SH, "if false; then A=1; elif true; then export KEY=@; fi\n", "rc:1"),
    "condition": Case(SH, "if export KEY=@; then :; fi\n", "rc:1"),
    "after and": Case(SH, "true && export KEY=@\n", "rc:1"),
    "after or": Case(SH, "false || export KEY=@\n", "rc:1"),
    "after and, on the next line": Case(SH, "true &&\n  export KEY=@\n", "rc:2"),
    "test": Case(SH, '[ -z "$KEY" ] && export KEY=@\n', "rc:1"),
    "double brackets": Case(BASH_ZSH, "[[ -z $KEY && ( a < b ) ]] && export KEY=@\n", "rc:1"),
    "pattern in double brackets": Case("bash", "[[ $HOME =~ ^\\(+$ ]] || export KEY=@\n", "rc:1"),
    "group": Case(SH, "{ export KEY=@; }\n", "rc:1"),
    "while": Case(SH, "while true; do export KEY=@; break; done\n", "rc:1"),
    "until": Case(SH, "until false\ndo\nexport KEY=@\nbreak\ndone\n", "rc:3"),
    "for": Case(SH, "for i in 1 2; do export KEY=@; done\n", "rc:1"),
    "for is an assignment": Case(SH, "for KEY in a @; do :; done\nexport KEY\n", "rc:1"),
    "case": Case(SH, "case x in\n  a|b) A=1 ;;\n  (x) export KEY=@ ;;\nesac\n", "rc:3"),
    "case on one line": Case(SH, "case x in x) export KEY=@;; esac\n", "rc:1"),
    "case without a last terminator": Case(SH, "case x in x) export KEY=@\nesac\nexport A=1\n", "rc:1"),
    "after a case": Case(SH, "case x in a) ;; *) :;; esac; export KEY=@\n", "rc:1"),
    "keyword as a pattern": Case(SH, "case x in if|fi) ;; done) ;; esac\nexport KEY=@\n", "rc:2"),
    "case in a subshell": Case(SH, "(case x in x) export KEY=@;; esac)\nexport A=1\n"),
    "unset under a condition": Case(SH, "export KEY=@\nif false; then unset KEY; fi\n", "rc:1"),
    "unset after and": Case(SH, "export KEY=@\nfalse && unset KEY\n", "rc:1"),
    "unset in a group": Case(SH, "export KEY=@\n{ unset KEY; }\n"),
    "unset in a subshell": Case(SH, "export KEY=@\n(unset KEY)\n", "rc:1"),
    "unset after a block": Case(SH, "export KEY=@\nif true; then :; fi\nunset KEY\n"),
    "unset after a condition": Case(SH, "export KEY=@\ntrue && :\nunset KEY\n"),
    "unset in a condition in a group": Case(SH, "export KEY=@\nfalse && { unset KEY; }\n", "rc:1"),
    "keywords as arguments": Case(SH, "echo if then { case fi >/dev/null\nexport KEY=@\nunset KEY\n"),
    "negated": Case(SH, "! export KEY=@\n", "rc:1"),
}

ENDED = {
    "return": Case(BASH_ZSH, "return\nexport KEY=@\n"),
    "return under a condition": Case(SH, "false && return\nexport KEY=@\n", "rc:2"),
    "return unless interactive": Case(
        BASH_ZSH, "case $- in *i*) ;; *) [ $0 ] || return ;; esac\nexport KEY=@\n", "rc:2"
    ),
    "return in a block": Case(SH, "if false; then return; fi\nexport KEY=@\n", "rc:2"),
    "return in a subshell": Case(SH, "(exit)\nexport KEY=@\n", "rc:2"),
    "return in a function": Case(SH, "f() { return; }\nf\nexport KEY=@\n", "rc:3"),
    "after a return in a function": Case(SH, "f() { return; export KEY=@; }\nf\n"),
    "exec of a redirection": Case(SH, "exec 3>&1\nexport KEY=@\n", "rc:2"),
    "before a return": Case(BASH_ZSH, "export KEY=@\nreturn\nunset KEY\n", "rc:1"),
}

PIPES = {
    "pipe": Case(SH, "export KEY=@ | cat\n"),
    "end of a pipe": Case("bash sh", "true | export KEY=@\n"),
    "end of a pipe in zsh": Case("zsh", "true | export KEY=@\n", "rc:1"),
    "loop at the end of a pipe": Case("bash sh", "echo 1 | while read x; do export KEY=@; done\n"),
    "loop before a pipe": Case(SH, "for i in 1; do export KEY=@; done | cat\n"),
    "group before a pipe": Case(SH, "{ export KEY=@; } | cat\n"),
    "in the background": Case(SH, "export KEY=@ &\nwait\n"),
    "group in the background": Case(SH, "{ export KEY=@; } &\nwait\n"),
    "after what runs in the background": Case(SH, "true & export KEY=@\n", "rc:1"),
    "loop that reads a file": Case(SH, "while read x; do export KEY=@; done </etc/passwd\n", "rc:1"),
    "pipe over two lines": Case(SH, "export KEY=@ |\n  cat\n"),
    "redirected to two": Case(SH, "export KEY=@ >/dev/null 2>&1\n", "rc:1"),
    "and both": Case(BASH_ZSH, "export KEY=@ &>/dev/null\n", "rc:1"),
}

FUNCTIONS = {
    "function that nobody calls": Case(SH, "f() { export KEY=@; }\n"),
    "function of several lines": Case(SH, "f() {\n  export KEY=@\n}\nexport A=1\n"),
    "brace on the next line": Case(SH, "f()\n{\n  export KEY=@\n}\n"),
    "blank before the parentheses": Case(SH, "f () { export KEY=@; }\n"),
    "function keyword": Case(BASH_ZSH, "function f { export KEY=@; }\n"),
    "function keyword and parentheses": Case(BASH_ZSH, "function f() { export KEY=@; }\n"),
    "function in a subshell": Case(SH, "f() (export KEY=@)\nf\n"),
    "function that is called": Case(SH, "f() {\n  export KEY=@\n}\nf\n", "rc:2"),
    "called before it is there": Case(SH, "f 2>/dev/null\nf() { export KEY=@; }\n"),
    "called with a condition": Case(SH, "f() { export KEY=@; }\ntrue && f\n", "rc:1"),
    "called in a subshell": Case(SH, "f() { export KEY=@; }\n(f)\n"),
    "function that takes it back": Case(SH, "f() { unset KEY; }\nexport KEY=@\nf\n"),
    "function in a function": Case(SH, "f() { g() { export KEY=@; }; }\nf\n"),
    "function in a function, both called": Case(SH, "f() { g() { export KEY=@; }; g; }\nf\n", "rc:1"),
    "blocks in a function": Case(SH, "f() {\n  if true; then { :; }; fi\n}\nexport KEY=@\n", "rc:4"),
    "local": Case(BASH_ZSH, "f() { local KEY=@; export A=1; }\nf\nexport KEY\n"),
    "local -x": Case(BASH_ZSH, "f() { local -x KEY=@; }\nf\n"),
    "declare -x in a function": Case("bash", "f() { declare -x KEY=@; }\nf\n"),
    "typeset -x in a function of zsh": Case("zsh", "f() { typeset -x KEY=@; }\nf\n", "rc:1"),
    "declare -gx in a function": Case(BASH_ZSH, "f() { declare -gx KEY=@; }\nf\n", "rc:1"),
    "readonly in a function": Case("bash", "f() { readonly KEY=@; }\nf\nexport KEY\n", "rc:1"),
    "readonly in a function of zsh": Case("zsh", "f() { readonly KEY=@; }\nf\nexport KEY\n"),
    "function without a name": Case("zsh", "() { export KEY=@ }\n", "rc:1"),
    "function keyword without a name": Case("zsh", "function { export KEY=@ }\n", "rc:1"),
    "closed on the same line in zsh": Case("zsh", "f() { export KEY=@ }\nexport A=1\n"),
    "short if in zsh": Case("zsh", "if [[ -n $HOME ]] { export KEY=@ }\n", "rc:1"),
    "block that is repeated": Case("zsh", "{\nrepeat 2 { true }\nexport KEY=@ }\n", "rc:3"),
    "brace as an argument": Case("bash sh", "f() {\necho }\nexport KEY=@\n}\n"),
    "pattern with flags in zsh": Case(
        "zsh", "[[ x == (#i)(a|b)#(c) ]]\nls *(#qN) &>/dev/null\nexport KEY=@\n", "rc:3"
    ),
    "comment behind a parenthesis": Case(SH, "( # it's\ntrue)# it's\nexport KEY=@\n", "rc:3"),
    "calls itself": Case("bash zsh", "f() { [ $1 ] && f; export KEY=@; }\nf\n", "rc:1"),
    "eval": Case(SH, "eval 'export KEY=@'\n", "rc:1"),
    "eval of a text in double quotes": Case(SH, 'A=1\neval "export KEY=@; B=2"\n', "rc:2"),
    "eval of several words": Case(SH, "eval export KEY=@\n", "rc:1"),
}

SOURCES = {
    "dot": Case(SH, ". ~/x.sh\n", "x.sh:2", {"x.sh": "A=1\nexport KEY=@\n"}),
    "source": Case(BASH_ZSH, "source ~/x.sh\n", "x.sh:1", {"x.sh": "export KEY=@\n"}),
    "$HOME": Case(SH, ". $HOME/x.sh\n", "x.sh:1", {"x.sh": "export KEY=@\n"}),
    '"$HOME"': Case(SH, '. "$HOME/x.sh"\n', "x.sh:1", {"x.sh": "export KEY=@\n"}),
    '"$HOME"/': Case(SH, '. "$HOME"/x.sh\n', "x.sh:1", {"x.sh": "export KEY=@\n"}),
    "${HOME}": Case(SH, '. "${HOME}/x.sh"\n', "x.sh:1", {"x.sh": "export KEY=@\n"}),
    "no tilde in quotes": Case(SH, '[ -f "~/x.sh" ] && . "~/x.sh"\n', "", {"x.sh": "export KEY=@\n"}),
    "no variable in single quotes": Case(
        SH, "[ -f '$HOME/x.sh' ] && . '$HOME/x.sh'\n", "", {"x.sh": "export KEY=@\n"}
    ),
    "a blank in its name": Case(
        SH, '. "$HOME/a b.sh"\n. ~/c\\&d.sh\n', "c&d.sh:1", {"c&d.sh": "export KEY='@'\n", "a b.sh": ""}
    ),
    "a default": Case(
        SH, '. "${NO_SUCH:-$HOME/.config}/x.sh"\n', ".config/x.sh:1", {".config/x.sh": "export KEY=@\n"}
    ),
    "own variable": Case(
        SH, "D=$HOME/dot\nE=$D/files\n. $E/x.sh\n", "dot/files/x.sh:1", {"dot/files/x.sh": "export KEY=@\n"}
    ),
    "after a test": Case(SH, "[ -f ~/x.sh ] && . ~/x.sh\n", "x.sh:1", {"x.sh": "export KEY=@\n"}),
    "after a double test": Case(
        BASH_ZSH, "[[ -s ~/x.sh ]] && \\. ~/x.sh\n", "x.sh:1", {"x.sh": "export KEY=@\n"}
    ),
    "in an if": Case(SH, "if [ -r ~/x.sh ]; then\n  . ~/x.sh\nfi\n", "x.sh:1", {"x.sh": "export KEY=@\n"}),
    "no such file": Case(SH, "[ -f ~/x.sh ] && . ~/x.sh\nexport KEY=@\n", "rc:2"),
    "through two": Case(SH, ". ~/x.sh\n", "y.sh:1", {"x.sh": ". ~/y.sh\n", "y.sh": "export KEY=@\n"}),
    "what comes after it": Case(SH, ". ~/x.sh\nunset KEY\n", "", {"x.sh": "export KEY=@\n"}),
    "assigned there, exported here": Case(SH, ". ~/x.sh\nexport KEY\n", "x.sh:1", {"x.sh": "KEY=@\n"}),
    "assigned there, never exported": Case(SH, ". ~/x.sh\n", "", {"x.sh": "KEY=@\n"}),
    "set -a around it": Case(SH, "set -a; . ~/.env; set +a\n", ".env:2", {".env": "A=1\nKEY=@\n"}),
    "return there": Case(SH, ". ~/x.sh\nexport KEY=@\n", "rc:2", {"x.sh": "return\nexport KEY=@\n"}),
    "itself": Case(
        BASH_ZSH,
        '[ "$X" ] || { X=1; . ~/x.sh; }\n',
        "x.sh:2",
        {"x.sh": "[ $Y ] || { Y=1; . ~/x.sh; }\nexport KEY=@\n"},
    ),
    "in a subshell": Case(SH, "(. ~/x.sh)\n", "", {"x.sh": "export KEY=@\n"}),
    "every file of a folder": Case(
        SH,
        'for f in ~/d/*.sh; do [ -r "$f" ] && . "$f"; done\n',
        "d/a.sh:1 d/b.sh:1",
        {"d/b.sh": "export KEY=@\n", "d/a.sh": "export KEY=@\n", "d/c.txt": "export KEY=@\n"},
    ),
    "every file of a list": Case(
        SH,
        "for f in ~/a.sh ~/.b; do . $f; done\n",
        "a.sh:1 .b:1",
        {"a.sh": "export KEY=@\n", ".b": "export KEY=@\n"},
    ),
    "every file of a list in braces": Case(
        BASH_ZSH,
        'for f in ~/.{aliases,extra}; do [ -r "$f" ] && source "$f"; done\nunset f\n',
        ".extra:1",
        {".extra": "export KEY=@\n", ".aliases": ""},
    ),
    "function with a parameter": Case(
        SH, 'load() { [ -f "$1" ] && . "$1"; }\nload ~/x.sh\n', "x.sh:1", {"x.sh": "export KEY=@\n"}
    ),
    "function that is there": Case(SH, ". ~/x.sh\nf\n", "x.sh:1", {"x.sh": "f() { export KEY=@; }\n"}),
    "name without a folder": Case("bash", "source x.sh\n", "x.sh:1", {"x.sh": "export KEY=@\n"}),
    "folder from here": Case(SH, ". ./x.sh\n", "x.sh:1", {"x.sh": "export KEY=@\n"}),
    "in the background": Case(SH, ". ~/x.sh &\nwait\n", "", {"x.sh": "export KEY=@\n"}),
    "the shell's own folder": Case(
        "zsh", '. "${ZDOTDIR:-$HOME}/x.sh"\n', "x.sh:1", {"x.sh": "export KEY=@\n"}
    ),
    "emulate": Case("zsh", "emulate sh -c '. ~/x.sh'\n", "x.sh:1", {"x.sh": "export KEY=@\n"}),
    "another path to it": Case(SH, ". ~/d/../x.sh\n", "x.sh:1", {"x.sh": "export KEY=@\n", "d/y": ""}),
}

# ---- fish

FISH = {
    "set -gx": Case("fish", "set -gx KEY @\n", "rc:1"),
    "set -x": Case("fish", "set -x KEY @\n", "rc:1"),
    "set -xg": Case("fish", "set -xg KEY @\n", "rc:1"),
    "set -g -x": Case("fish", "set -g -x KEY @\n", "rc:1"),
    "set -Ux": Case("fish", "set -Ux KEY @\n", ".config/fish/fish_variables:3 rc:1"),
    "set --export --global": Case("fish", "set --export --global KEY @\n", "rc:1"),
    "set --exp --glo": Case("fish", "set --exp --glo KEY @\n", "rc:1"),
    "set -x --": Case("fish", "set -x -- KEY @\n", "rc:1"),
    "set -g": Case("fish", "set -g KEY @\n"),
    "set": Case("fish", "set KEY @\n"),
    "set, then exported": Case("fish", "set KEY @\nset -x KEY @\n", "rc:1 rc:2"),
    "exported, then set": Case("fish", "set -gx KEY @\nset KEY @\n", "rc:1 rc:2"),
    "set -lx": Case("fish", "set -lx KEY @\n"),
    "local in a block": Case("fish", "begin; set -lx KEY @; end\n"),
    "set -gu": Case("fish", "set -gx KEY @\nset -gu KEY @\n"),
    "set -e": Case("fish", "set -gx KEY @\nset -e KEY\n"),
    "set --erase --global": Case("fish", "set -gx KEY @\nset --erase --global KEY\n"),
    "set -e of another scope": Case("fish", "set -gx KEY @\nset -eU KEY\n", "rc:1"),
    "set -e shows what is below": Case(
        "fish", "set -gx KEY @\nset -Ux KEY @\nset -e KEY\n", ".config/fish/fish_variables:3 rc:2"
    ),
    "set -e of several": Case("fish", "set -gx KEY @\nset -e A KEY\n"),
    "set -q": Case("fish", "set -qgx KEY\n"),
    "no value": Case("fish", "set -gx KEY\n", "rc:1"),
    "empty": Case("fish", "set -gx KEY ''\n", "rc:1"),
    "export": Case("fish", "export KEY=@\n", "rc:1"),
    "setenv": Case("fish", "setenv KEY @\n", "rc:1"),
    "builtin set": Case("fish", "builtin set -gx KEY @\n", "rc:1"),
    "another name": Case("fish", "set -gx KEY_OLD @; set -gx MY_KEY @; set -gx key @\n"),
    "name in quotes": Case("fish", 'set -gx "KEY" @\n', "rc:1"),
    "argument": Case("fish", "set -gx A KEY @\necho set -gx KEY @ >/dev/null\n"),
    "comment": Case("fish", "# set -gx KEY @\nset -gx A 1 # set -gx KEY @\n"),
    "text": Case("fish", "echo 'set -gx KEY @' >/dev/null\n"),
    "text of several lines": Case("fish", "set A '\nset -gx KEY @\n'\n"),
    "escaped quote in single quotes": Case(
        "fish", "set A 'it\\'s'\nset -gx KEY @\nset B 'isn\\'t'\n", "rc:2"
    ),
    "substitution": Case("fish", "set -gx KEY (echo '@)' | tr -d ')')\n", "rc:1"),
    "substitution in quotes": Case("fish", 'set -gx KEY "$(echo "@")"\n', "rc:1"),
    "continued": Case("fish", "set \\\n -gx \\\n KEY @\n", "rc:3"),
    "for one command only": Case("fish", "KEY=@ true\n"),
    "if": Case("fish", "if true\n  set -gx KEY @\nend\n", "rc:2"),
    "else if": Case("fish", "if false\nelse if true\n  set -gx KEY @\nend\nset -e A\n", "rc:3"),
    "unset after else if": Case("fish", "set -gx KEY @\nif false\nelse if true\nend\nset -e KEY\n"),
    "unset under a condition": Case("fish", "set -gx KEY @\nif false\n  set -e KEY\nend\n", "rc:1"),
    "unset after and": Case("fish", "set -gx KEY @\nfalse; and set -e KEY\n", "rc:1"),
    "unset in a block": Case("fish", "set -gx KEY @\nbegin; set -e KEY; end\n"),
    "after and": Case("fish", "test -d /; and set -gx KEY @\n", "rc:1"),
    "after &&": Case("fish", "test -d / && set -gx KEY @\n", "rc:1"),
    "switch": Case("fish", "switch x\n  case x\n    set -gx KEY @\nend\n", "rc:3"),
    "while": Case("fish", "while true; set -gx KEY @; break; end\n", "rc:1"),
    "pipe": Case("fish", "true | set -gx KEY @\n", "rc:1"),
    "function": Case("fish", "function f\n  set -gx KEY @\nend\n"),
    "function that is called": Case("fish", "function f -d 'about it'\n  set -gx KEY @\nend\nf\n", "rc:2"),
    "set -x in a function": Case("fish", "function f; set -x KEY @; end; f\n"),
    "function on one line": Case("fish", "function f; set -gx KEY @; end; f\n", "rc:1"),
    "blocks in a function": Case("fish", "function f\n  if true; end\nend\nset -gx KEY @\n", "rc:4"),
    "return": Case("fish", "return\nset -gx KEY @\n"),
    "exit unless": Case("fish", "status is-interactive; and exit\nset -gx KEY @\n", "rc:2"),
    "eval": Case("fish", "eval 'set -gx KEY @'\n", "rc:1"),
    "source": Case("fish", "source ~/x.fish\n", "x.fish:1", {"x.fish": "set -gx KEY @\n"}),
    "dot": Case("fish", '. "$HOME/x.fish"\n', "x.fish:1", {"x.fish": "set -gx KEY @\n"}),
    "source after a test": Case(
        "fish", "test -f ~/x.fish; and source ~/x.fish\n", "x.fish:1", {"x.fish": "set -gx KEY @\n"}
    ),
    "source, own folder": Case(
        "fish",
        "source $__fish_config_dir/x.fish\n",
        ".config/fish/x.fish:1",
        {".config/fish/x.fish": "set -gx KEY @\n"},
    ),
    "source of a list": Case(
        "fish",
        "for f in ~/d/*.fish\n  source $f\nend\n",
        "d/a.fish:1 d/b.fish:1",
        {"d/a.fish": "set -gx KEY @\n", "d/b.fish": "set -gx KEY @\n"},
    ),
    "conf.d": Case(
        "fish", "", ".config/fish/conf.d/a.fish:1", {".config/fish/conf.d/a.fish": "set -gx KEY @\n"}
    ),
    "conf.d, then taken back": Case(
        "fish", "set -e KEY\n", "", {".config/fish/conf.d/a.fish": "set -gx KEY @\n"}
    ),
    "conf.d, another kind of file": Case("fish", "", "", {".config/fish/conf.d/a.txt": "set -gx KEY @\n"}),
    "universal": Case(
        "fish",
        "",
        ".config/fish/fish_variables:4",
        {".config/fish/fish_variables": "# It\n# VERSION: 3.0\nSETUVAR A:KEY\nSETUVAR --export KEY:@\n"},
    ),
    "universal, empty": Case(
        "fish",
        "",
        ".config/fish/fish_variables:2",
        {".config/fish/fish_variables": "# VERSION: 3.0\nSETUVAR --export KEY:\\x1d\n"},
    ),
    "universal, not exported": Case(
        "fish",
        "",
        "",
        {".config/fish/fish_variables": "# VERSION: 3.0\nSETUVAR KEY:@\nSETUVAR --export KEY_OLD:@\n"},
    ),
}

# ---- csh

CSH = {
    "setenv": Case("csh", "setenv KEY @\n", "rc:1"),
    "here-document, then more": Case("csh", "cat << E > /dev/null\nit's\nE\nsetenv KEY @\n", "rc:4"),
    "redirected": Case("csh", "echo >& /dev/null\nsetenv KEY @ >! /dev/null\n", "rc:2"),
    "setenv without a value": Case("csh", "setenv KEY\n", "rc:1"),
    "setenv with an empty value": Case("csh", "setenv KEY ''\n", "rc:1"),
    "set": Case("csh", "set KEY = @\nset KEY=@\n"),
    "unsetenv": Case("csh", "setenv KEY @\nunsetenv KEY\n"),
    "another name": Case("csh", "setenv KEY_OLD @; setenv key @\n"),
    "after a semicolon": Case("csh", "set a = 1; setenv KEY @\n", "rc:1"),
    "if": Case("csh", "if (1) setenv KEY @\n", "rc:1"),
    "if, then": Case("csh", "if ( $?HOME ) then\n  setenv KEY @\nendif\n", "rc:2"),
    "else": Case("csh", "if ( 0 ) then\nelse\n  setenv KEY @\nendif\n", "rc:3"),
    "else if": Case("csh", "if ( 0 ) then\nelse if ( 1 ) then\n  setenv KEY @\nendif\n", "rc:3"),
    "unsetenv after else if": Case(
        "csh", "setenv KEY @\nif ( 0 ) then\nelse if ( 0 ) then\nendif\nunsetenv KEY\n"
    ),
    "unsetenv under a condition": Case("csh", "setenv KEY @\nif ( 0 ) unsetenv KEY\n", "rc:1"),
    "unsetenv in a block": Case("csh", "setenv KEY @\nif ( 0 ) then\n  unsetenv KEY\nendif\n", "rc:1"),
    "unsetenv after a condition": Case("csh", "setenv KEY @\nif ( 0 ) echo\nunsetenv KEY\n"),
    "foreach": Case("csh", "foreach i ( a b )\n  setenv KEY @\nend\n", "rc:2"),
    "switch": Case("csh", "switch ( x )\ncase x:\n  setenv KEY @\n  breaksw\nendsw\n", "rc:3"),
    "comment": Case("csh", "# setenv KEY @\n"),
    "text": Case("csh", "alias x 'setenv KEY @'\n"),
    "quote in a comment": Case("csh", "# it's\nsetenv KEY @\n", "rc:2"),
    "continued": Case("csh", "setenv \\\n KEY @\n", "rc:2"),
    "subshell": Case("csh", "(setenv KEY @)\n"),
    "pipe": Case("csh", "setenv KEY @ | cat\n"),
    "here-document": Case("csh", "cat << E > /dev/null\nsetenv KEY @\nE\n"),
    "eval": Case("csh", "eval setenv KEY @\n", "rc:1"),
    "exit": Case("csh", "exit\nsetenv KEY @\n"),
    "exit under a condition": Case("csh", "if ( 0 ) exit\nsetenv KEY @\n", "rc:2"),
    "source": Case("csh", "source ~/x.csh\n", "x.csh:1", {"x.csh": "setenv KEY @\n"}),
    "source after a test": Case(
        "csh", 'if ( -f ~/x.csh ) source "$HOME/x.csh"\n', "x.csh:1", {"x.csh": "setenv KEY @\n"}
    ),
    "source, own variable": Case(
        "csh", "set d = ~/dot\nsource $d/x.csh\n", "dot/x.csh:1", {"dot/x.csh": "setenv KEY @\n"}
    ),
}

ALL = {
    f"{group}: {name}": case
    for group, cases in {
        "plain": PLAIN,
        "undone": UNDONE,
        "declared": DECLARED,
        "quotes": QUOTES,
        "nested": NESTED,
        "here-documents": HERE_DOCUMENTS,
        "blocks": BLOCKS,
        "ended": ENDED,
        "pipes": PIPES,
        "functions": FUNCTIONS,
        "sources": SOURCES,
        "fish": FISH,
        "csh": CSH,
    }.items()
    for name, case in cases.items()
}
