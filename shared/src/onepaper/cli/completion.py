"""Shell completion: a script that asks `onepaper __complete WORDS` for the candidates of the word at the cursor.

Candidates are computed from the papers that are installed, options from the preset on the command line.
docs/architecture.md explains why no library generates a static script.
"""

import contextlib
import dataclasses
import math
import textwrap
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from onepaper.cli.common_verbs import verbs_of
from onepaper.cli.parsing import take_option
from onepaper.config import flatten, to_dict
from onepaper.errors import OnePaperError, UsageError
from onepaper.paper import Paper, Verb, load_paper, paper_names, resolve
from onepaper.weights import shipped_weights

TOP_COMMANDS = ("list", "repeat", "completion")
SHELLS = ("bash", "zsh", "fish")
ONE_OF = "one of "


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
        choices = _choices(before, is_option=current.startswith("-"))
        return sorted({choice for choice in choices if choice.startswith(current)})
    return []


def _choices(before: list[str], *, is_option: bool) -> Iterable[str]:
    if not before:
        return [*paper_names(), *TOP_COMMANDS]
    if before[0] == "completion":
        return SHELLS
    if before[0] in TOP_COMMANDS:
        return []
    paper = load_paper(before[0])
    verbs = verbs_of(paper)
    if len(before) == 1:
        return verbs
    verb = verbs.get(before[1])
    if verb is None:
        return []
    config = None
    if verb.preset is not None and before[-1] != "--preset":
        preset, _ = take_option(before[2:], "--preset")
        config = paper.preset(preset or verb.preset).config
    name = _field_at_the_end(verb, config, before[2:])
    if name is None or (is_option and not before[-1].startswith("--")):
        return _option_names(verb, config)
    if name == "preset" or (verb.name, name) == ("presets", "name"):
        fits = [name for name, preset in paper.presets.items() if verb.preset is None or verb.accepts(preset.config)]
        return [*fits, *paper.aliases]
    if (verb.name, name) == ("reproduce", "claims"):
        return [claim.id for claim in paper.claims()]
    # Where nothing is known of the values, the shell completes files.
    return _known_values(paper, verb, config, name)


def _known_values(paper: Paper, verb: Verb, config: Any, name: str) -> list[str]:
    """Values of an option: of its `Literal` or its mark `one of MODULE:NAME`; defaults of a tuple; shipped weights.

    The mark stands in `Annotated` and names a collection of texts, or a function without arguments that returns one.
    """
    hint, default = _type_of(verb, config, name), getattr(verb.options, name, None)
    if values := list(_values_of_type(hint)):
        return values
    values = list(default) if isinstance(default, tuple) else [default]
    if not all(isinstance(value, str) for value in values):
        return []
    shipped = shipped_weights(paper.module)
    if set(values) & set(shipped) or (name, default) == ("weights", ""):
        values += shipped
    elif not isinstance(default, tuple):
        return []
    return [value for value in values if value]


def _values_of_type(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from map(str, get_args(hint))
    elif isinstance(hint, str) and hint.startswith(ONE_OF):
        values = resolve(hint.removeprefix(ONE_OF))
        found: Any = values() if callable(values) else values
        yield from found
    else:
        for part in get_args(hint):
            yield from _values_of_type(part)


def _option_names(verb: Verb, config: Any) -> list[str]:
    names = [name for name in _fields(verb) if name not in _positionals(verb)]
    if config is not None:
        names += ["preset", "config", *flatten(to_dict(config))]
    return [f"--{name.replace('_', '-')}" for name in (*names, "help")]


def _field_at_the_end(verb: Verb, config: Any, words: list[str]) -> str | None:
    """The option, or the positional value, that a word after `words` belongs to; None where it is a new option."""
    option, wanted, positionals = None, 0.0, 0
    for word in words:
        if word.startswith("--"):
            option = word.removeprefix("--").replace("-", "_")
            hint = str if option in ("preset", "config") else _type_of(verb, config, option)
            wanted = 0.0 if _unmarked(hint) in (None, bool) else math.inf if _takes_several(hint) else 1.0
        elif wanted:
            wanted -= 1
        else:
            positionals += 1
    if wanted:
        return option
    names = _positionals(verb)
    names += names[-1:] * positionals if names and _takes_several(_fields(verb)[names[-1]]) else []
    return names[positionals] if positionals < len(names) else None


def _fields(verb: Verb) -> dict[str, Any]:
    """The types of a verb's own options, with their marks."""
    hints = get_type_hints(verb.options, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(verb.options)}


def _positionals(verb: Verb) -> list[str]:
    return [name for name, hint in _fields(verb).items() if "positional" in get_args(hint)[1:]]


def _type_of(verb: Verb, config: Any, option: str) -> Any:
    """The type of an option, with its marks; None where the verb has no such option."""
    for kind in (verb.options, *([type(config)] if config is not None else [])):
        hint: Any = kind
        for name in option.split("."):
            hint = _unmarked(hint)
            hint = get_type_hints(hint, include_extras=True).get(name) if dataclasses.is_dataclass(hint) else None
        if hint is not None:
            return hint
    return None


def _unmarked(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _takes_several(hint: Any) -> bool:
    return get_origin(_unmarked(hint)) in (tuple, list)
