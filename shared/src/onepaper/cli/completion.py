"""Shell completion: a script that asks `onepaper __complete WORDS` for the candidates of the word at the cursor.

Candidates are computed from the papers that are installed, options from the preset on the command line.
docs/architecture.md explains why no library generates a static script.
"""

import contextlib
import dataclasses
import textwrap
from typing import Any, Literal, get_args, get_origin, get_type_hints

from onepaper.cli.common_verbs import verbs_of
from onepaper.cli.parsing import take_option
from onepaper.config import flatten, to_dict
from onepaper.errors import OnePaperError, UsageError
from onepaper.paper import Verb, load_paper, paper_names

TOP_COMMANDS = ("list", "repeat", "completion")
SHELLS = ("bash", "zsh", "fish")


def completion_script(words: list[str]) -> str:
    """The script for one shell, which `eval` installs.

    Raises:
        UsageError: `words` is not the name of one supported shell.
    """
    if len(words) != 1 or words[0] not in SHELLS:
        raise UsageError(f"completion takes one shell of {', '.join(SHELLS)}, got: {' '.join(words) or 'nothing'}")
    if words[0] == "fish":
        return (
            "complete -c onepaper -f -a '(onepaper __complete (commandline -opc)[2..-1] (commandline -ct))'\n"
            "complete -c onepaper -F -n 'string match -qr -- \"^--(output|config)\" (commandline -opc)[-1]'"
        )
    script = textwrap.dedent("""\
        _onepaper() {
            local IFS=$'\\n'
            COMPREPLY=($(onepaper __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
        }
        complete -o default -F _onepaper onepaper""")
    return f"autoload -U +X bashcompinit && bashcompinit\n{script}" if words[0] == "zsh" else script


def candidates(words: list[str]) -> list[str]:
    """Completions of the last of `words`, which may be empty; none where the words before it are wrong."""
    *before, current = words or [""]
    with contextlib.suppress(OnePaperError):
        return sorted({choice for choice in _choices(before) if choice.startswith(current)})
    return []


def _choices(before: list[str]) -> list[str]:
    if not before:
        return [*paper_names(), *TOP_COMMANDS]
    if before[0] == "completion":
        return list(SHELLS)
    if before[0] in TOP_COMMANDS:
        return []
    paper = load_paper(before[0])
    verbs = verbs_of(paper)
    if len(before) == 1:
        return list(verbs)
    verb = verbs.get(before[1])
    if verb is None:
        return []
    if before[-1] == "--preset" or verb.name == "presets":
        fits = [name for name, preset in paper.presets.items() if verb.preset is None or verb.accepts(preset.config)]
        return [*fits, *paper.aliases]
    options = [word for word in before if word.startswith("--")]
    if options[-1:] == ["--claims"]:
        return [claim.id for claim in paper.claims()]
    config = None
    if verb.preset is not None:
        preset, _ = take_option(before[2:], "--preset")
        config = paper.preset(preset or verb.preset).config
    hint = _type_of(verb, config, before[-1])
    if get_origin(hint) is Literal:
        return [str(value) for value in get_args(hint)]
    # The shell completes files.
    takes_file = before[-1] == "--config" or hint not in (None, bool)
    return [] if takes_file else _option_names(verb, config)


def _option_names(verb: Verb, config: Any) -> list[str]:
    names = [field.name for field in dataclasses.fields(verb.options)]
    if config is not None:
        names += ["preset", "config", *flatten(to_dict(config))]
    return [f"--{name.replace('_', '-')}" for name in (*names, "help")]


def _type_of(verb: Verb, config: Any, word: str) -> Any:
    """The type of the option before the cursor; None where the word is no option of the verb."""
    path = word.removeprefix("--").replace("-", "_").split(".") if word.startswith("--") else [""]
    for kind in (verb.options, *([type(config)] if config is not None else [])):
        hint: Any = kind
        for name in path:
            hint = get_type_hints(hint).get(name) if dataclasses.is_dataclass(hint) else None
        if hint is not None:
            return hint
    return None
