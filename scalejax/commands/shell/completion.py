"""Completion of command lines in bash, zsh and fish: a short script for the shell, which asks what may follow the words so far."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..options import verb

EPILOG = """\
  scalejax completion bash
  scalejax completion zsh
  scalejax completion fish

for the running shell: eval "$(scalejax completion bash)", eval "$(scalejax completion zsh)", scalejax completion fish | source;
for all to come, put that line in ~/.bashrc or ~/.zshrc, or the script in ~/.config/fish/completions/scalejax.fish.
"""

# A word that ends in FILES asks the shell for names of files.
_SCRIPTS = {
    "bash": """\
_scalejax() {
  local IFS=$'\\n' words=("${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=($(scalejax completion words -- "${words[@]}" 2>/dev/null))
  if [ "${COMPREPLY[0]}" = FILES ]; then COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")); fi
}
complete -o filenames -F _scalejax scalejax
""",
    "zsh": """\
#compdef scalejax
_scalejax() {
  local -a found
  found=("${(@f)$(scalejax completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "${found[1]}" == FILES ]]; then _files; else compadd -a found; fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u; }
compdef _scalejax scalejax
""",
    "fish": """\
function __scalejax
  set -l words (commandline -opc) (commandline -ct)
  set -l found (scalejax completion words -- $words[2..-1] 2>/dev/null)
  if test "$found[1]" = FILES
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c scalejax -f -a '(__scalejax)'
""",
}
# Options, and positional arguments, whose values are names in lists of ours.
_LAWS = ("law", "laws", "name")


def add_verbs(verbs: Any, build: Callable[[], argparse.ArgumentParser]) -> None:
    """Add `completion` to a subparsers object; `build` makes the parser whose words are completed."""

    def run(options: argparse.Namespace) -> None:
        if options.shell == "words":
            found = candidates(build(), options.words or [""])
            options.output.line("\n".join(found or ["FILES"]))
        else:
            options.output.line(_SCRIPTS[options.shell].rstrip())

    verb(verbs, "completion", "a script that completes verbs, options and names in a shell", run, _options, epilog=EPILOG)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=[*_SCRIPTS, "words"], metavar="SHELL", help="bash, zsh or fish")
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)


def candidates(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    """What the last of the words after `scalejax` may become; nothing where it may be a file or anything else."""
    *before, last = words
    verbs = next(action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    if not before:
        return _from([*verbs, "--help", "--version"], last)
    if before[0] not in verbs:
        return []
    options = {text: action for action in verbs[before[0]]._actions for text in action.option_strings}
    if last.startswith("-"):
        return _from(options, last)
    asked = next((options[word] for word in reversed(before[1:]) if word in options), None)
    if asked is not None and asked.nargs != 0 and (asked.nargs in ("+", "*") or before[-1] in options):
        return _from(_values(asked), last)
    first = next((a for a in verbs[before[0]]._actions if not a.option_strings), None)
    return _from(_values(first) if first is not None and len(before) == 1 else [], last)


def _values(action: argparse.Action) -> Iterable[str]:
    """The values that an option or a positional argument is known to take."""
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    if action.dest in _LAWS and action.metavar != "FILE.py:NAME":
        from ...zoo import laws

        return laws.names
    if action.dest in ("cost", "against"):
        from ...decisions import costs

        return [name for name in costs.__all__ if callable(getattr(costs, name))]
    return []


def _from(texts: Iterable[str], begin: str) -> list[str]:
    return sorted(text for text in texts if text.startswith(begin))
