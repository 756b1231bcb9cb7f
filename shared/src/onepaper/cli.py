"""The command line of all papers: `onepaper list`, `onepaper PAPER VERB`, `onepaper repeat RUN`, `onepaper completion`.

The preset is taken off the command line first, so a verb's parser knows one configuration with its defaults; tyro (and
any framework) is imported only once the verb is known. Whatever goes wrong is told in one line.
"""

import contextlib
import dataclasses
import io
import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from onepaper.claims.reproduce import ClaimsOptions, ReproduceOptions
from onepaper.config import flatten, from_dict, read_json, to_dict, unknown
from onepaper.errors import OnePaperError, UsageError
from onepaper.paper import Invocation, Paper, Verb, load_paper, paper_names, resolve
from onepaper.runs import RECORD_NAME


@dataclass(frozen=True)
class PresetsOptions:
    """Options of the `presets` verb."""

    name: Annotated[str, "positional"] = ""
    """Show this preset's configuration; without it, all are listed."""
    cost: bool = False
    """Also count parameters, FLOPs and memory (loads the framework)."""


# Verbs that every paper has; the paper's own come from its `Paper`.
COMMON_VERBS = (
    Verb("reproduce", "run the paper's claims and write the report", "onepaper.cli:run_reproduce", ReproduceOptions),
    Verb("claims", "list the claims, their rules and recorded verdicts", "onepaper.cli:run_claims", ClaimsOptions),
    Verb("presets", "list the configurations, or show one", "onepaper.cli:run_presets", PresetsOptions),
)
TOP_COMMANDS = ("list", "repeat", "completion")
SHELLS = ("bash", "zsh", "fish")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `onepaper`; leaves by `SystemExit` with 0, 1 (it failed), 2 (wrong usage) or 130 (interrupted)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _dispatch(words)
    except OnePaperError as error:
        status = _fail(str(error), error.exit_code)
        # What stands below a message (PEP 678), such as an expression with a caret, keeps its lines.
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
    except KeyboardInterrupt:
        status = _fail("interrupted", 130)
    except BrokenPipeError:
        # The reader (head, less) has gone; point stdout elsewhere so the interpreter's last flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        status = _fail(f"{place}{error.strerror or error}; check the path, its permissions and free space", 1)
    sys.exit(status)


def _fail(message: str, status: int) -> int:
    print(f"onepaper: {' '.join(message.split())}", file=sys.stderr)
    return status


def _dispatch(words: list[str]) -> int:
    command, rest = (words[0], words[1:]) if words else ("--help", [])
    if command in ("-h", "--help", "help"):
        print(_top_help())
    elif command in ("-V", "--version"):
        from onepaper import __version__

        print(f"onepaper {__version__}")
    elif command == "list":
        _print_list()
    elif command == "completion":
        print(_completion_script(rest))
    elif command == "__complete":
        print("\n".join(_candidates(rest)))
    elif command == "repeat":
        return _repeat(rest)
    elif command.startswith("-"):
        raise UsageError(unknown("option", command, ["--help", "--version"]))
    elif command not in paper_names():
        names = paper_names()
        if names and not any(name == command for name in names):
            raise UsageError(unknown("paper or command", command, [*names, *TOP_COMMANDS]))
        load_paper(command)
    else:
        return _run_paper(load_paper(command), rest)
    return 0


def _run_paper(paper: Paper, words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_paper_help(paper))
        return 0
    verbs = {verb.name: verb for verb in (*paper.verbs, *COMMON_VERBS)}
    if words[0] not in verbs:
        raise UsageError(f"{unknown(f'verb of {paper.name}', words[0], verbs)} (`onepaper {paper.name} --help`)")
    call = parse(paper, verbs[words[0]], words[1:])
    if call is None:
        return 0
    return int(resolve(call.verb.run)(call) or 0)


def parse(paper: Paper, verb: Verb, words: Sequence[str]) -> Invocation | None:
    """Turn the words after the verb into an `Invocation`; None when help was asked for and printed.

    Raises:
        UsageError: unknown preset, option or value, in one line.
    """
    config, preset, rest = None, None, list(words)
    if verb.preset is not None:
        preset, rest = _take_option(rest, "--preset")
        source, rest = _take_option(rest, "--config")
        if preset is not None and source is not None:
            raise UsageError("--preset and --config were both given; choose one")
        config = _config_of(paper, verb, preset, source)
        preset = None if source else paper.aliases.get(preset or verb.preset, preset or verb.preset)
    if any(word in ("-h", "--help") for word in rest) and verb.preset is not None:
        _print_presets_of(paper, verb, preset)
    parsed = _parse_with_tyro(verb, config, rest, f"onepaper {paper.name} {verb.name}")
    if parsed is None:
        return None
    return Invocation(paper, verb, getattr(parsed, "config", None), parsed.options, preset)


def _config_of(paper: Paper, verb: Verb, preset: str | None, source: str | None) -> Any:
    if source is not None:
        return read_config(paper, verb, Path(source))
    name = preset or verb.preset or ""
    config = paper.preset(name).config
    if not verb.accepts(config):
        fitting = [other for other, value in paper.presets.items() if verb.accepts(value.config)]
        raise UsageError(f"preset '{name}' is not one that `{verb.name}` can run; choose from: {', '.join(fitting)}")
    return config


def read_config(paper: Paper, verb: Verb, path: Path) -> Any:
    """Read a configuration from a run folder, its `run.json`, or a JSON file that holds just the configuration."""
    path = path / RECORD_NAME if path.is_dir() else path
    values = read_json(path, "configuration")
    wanted = None
    if isinstance(values, dict) and "config_type" in values:
        wanted, values = values["config_type"], values["config"]
    kinds = {kind.__name__: kind for kind in verb.configs}
    if wanted is not None and wanted not in kinds:
        raise UsageError(f"{path} holds a {wanted}; `{verb.name}` of {paper.name} runs {' or '.join(kinds)}")
    problem: UsageError | None = None
    for kind in [kinds[wanted]] if wanted else kinds.values():
        try:
            return from_dict(kind, values, str(path))
        except UsageError as error:
            problem = problem or error
    raise problem or UsageError(f"`{verb.name}` takes no configuration, but --config {path} was given")


def _take_option(words: list[str], option: str) -> tuple[str | None, list[str]]:
    """Take `--option VALUE` or `--option=VALUE` out of the words (the last one wins)."""
    value, rest, index = None, [], 0
    while index < len(words):
        word = words[index]
        if word == "--":
            rest += words[index:]
            break
        if word == option:
            if index + 1 == len(words):
                raise UsageError(f"{option} needs a value")
            value, index = words[index + 1], index + 2
        elif word.startswith(option + "="):
            value, index = word.removeprefix(option + "="), index + 1
        else:
            rest.append(word)
            index += 1
    return value, rest


def _parse_with_tyro(verb: Verb, config: Any, words: list[str], program: str) -> Any:
    import tyro

    def unprefixed(kind: type) -> Any:
        return Annotated[kind, tyro.conf.arg(name="")]

    options_type = _with_positionals(verb.options)
    parts: list[tuple[str, Any]] = [("options", unprefixed(options_type))]
    defaults: dict[str, Any] = {"options": options_type()}
    if config is not None:
        parts.insert(0, ("config", unprefixed(type(config))))
        defaults["config"] = config
    call_type = dataclasses.make_dataclass("Call", parts, frozen=True)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsed = tyro.cli(
                call_type, default=call_type(**defaults), args=words, prog=program, description=verb.summary
            )
    except SystemExit as leaving:
        if not leaving.code:
            return None
        raise UsageError(f"{_first_sentence(said.getvalue())} (`{program} --help`)") from None
    options = verb.options(**{f.name: getattr(parsed.options, f.name) for f in dataclasses.fields(parsed.options)})
    return dataclasses.replace(parsed, options=options)


def _with_positionals(options: type) -> type:
    """The same options with fields marked `Annotated[T, "positional"]` made positional for tyro.

    A tuple marked "repeatable" takes one value each time its option is given. The marks are plain strings so that a
    package's options need not import tyro.
    """
    import tyro

    marks: dict[str, Any] = {"positional": tyro.conf.Positional, "repeatable": tyro.conf.UseAppendAction}
    hints = get_type_hints(options, include_extras=True)
    annotations = dict(hints)
    for name, hint in hints.items():
        for mark in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
            if mark in marks:
                annotations[name] = marks[mark][get_args(hint)[0]]
    if annotations == hints:
        return options
    parser_type = type(options.__name__, (options,), {"__annotations__": annotations, "__doc__": options.__doc__})
    for field in dataclasses.fields(options):
        if field.default is not dataclasses.MISSING:
            setattr(parser_type, field.name, field.default)
        else:
            setattr(parser_type, field.name, dataclasses.field(default_factory=field.default_factory))  # type: ignore[arg-type]
    return dataclass(frozen=True)(parser_type)


def _first_sentence(box: str) -> str:
    """The message inside tyro's error box, in one line, with its first suggestion."""
    # Borders are Unicode or ASCII by the terminal; the first line is the box's title, the last its foot.
    lines = [line.strip("│| ").strip() for line in box.splitlines()[1:]]
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line and set(line) <= set("─-+╰╯"):
            blocks.append([])
        else:
            blocks[-1].append(line)
    message = " ".join(blocks[0]).rstrip(".")
    for block in blocks[1:]:
        if block and block[0].startswith("Perhaps you meant") and len(block) > 1:
            return f"{message}: did you mean '{block[1].split()[0]}'?"
    return message or " ".join(box.split())


def _print_presets_of(paper: Paper, verb: Verb, chosen: str | None) -> None:
    print("presets (--preset NAME, or --config FILE to repeat a recorded configuration):")
    for name, preset in paper.presets.items():
        if verb.accepts(preset.config):
            print(f"  {'*' if name == chosen else ' '} {name:<24} {preset.summary}")
    print("the defaults below are those of the preset marked *\n")


def _print_list() -> None:
    names = paper_names()
    if not names:
        print("no paper is installed; in a checkout: pip install ./packages/NAME")
        return
    for name in names:
        try:
            paper = load_paper(name)
        except OnePaperError as error:  # one broken package must not hide the others
            print(f"{name:<20} {error}")
            continue
        print(f"{name:<20} {paper.framework:<6} {paper.title} ({paper.year})")


def _top_help() -> str:
    return textwrap.dedent("""\
        usage: onepaper PAPER VERB [--preset NAME] [--option value ...]

        Ten research papers, each an installable package that runs its claims on a laptop.

        commands:
          list                        the papers that are installed
          PAPER --help                what can be done with a paper
          PAPER VERB --help           a verb's presets and options
          repeat RUN [--output DIR]   run again what RUN/run.json records
          completion bash|zsh|fish    a completion script: eval "$(onepaper completion bash)"

        first steps:
          onepaper list
          onepaper compose-diffusion reproduce""")


def _paper_help(paper: Paper) -> str:
    lines = [
        f"usage: onepaper {paper.name} VERB [--preset NAME] [--option value ...]",
        "",
        f"{paper.title}",
        f"{paper.authors}. {paper.venue} ({paper.year}), arXiv:{paper.arxiv}",
        "",
        "verbs:",
        *(f"  {verb.name:<12} {verb.summary}" for verb in (*paper.verbs, *COMMON_VERBS)),
        "",
        "presets:",
        *(f"  {name:<24} {preset.summary}" for name, preset in paper.presets.items()),
        *(f"  {alias:<24} the same as {name}" for alias, name in paper.aliases.items()),
        "",
        f"options of a verb: onepaper {paper.name} VERB --help",
    ]
    return "\n".join(lines)


def run_reproduce(call: Invocation) -> int:
    """The `reproduce` verb."""
    from onepaper.claims.reproduce import reproduce

    return reproduce(call.paper, call.options)


def run_claims(call: Invocation) -> int:
    """The `claims` verb."""
    from onepaper.claims.reproduce import print_claims

    return print_claims(call.paper, call.options)


def run_presets(call: Invocation) -> int:
    """The `presets` verb."""
    paper, options = call.paper, call.options
    if options.name:
        preset = paper.preset(options.name)
        print(f"{options.name}: {preset.summary}")
        for name, value in flatten(to_dict(preset.config)).items():
            print(f"  --{name.replace('_', '-')} {value}")
        if preset.unsure:
            print(f"our reading, not published: {', '.join(preset.unsure)}")
    chosen = [paper.aliases.get(options.name, options.name)] if options.name else list(paper.presets)
    if not options.name:
        for name, preset in paper.presets.items():
            print(f"{name:<24} {preset.summary}")
    if options.cost and paper.cost_of:
        for name in chosen:
            cost = resolve(paper.cost_of)(paper.presets[name].config)
            print(f"cost of {name}: " + ", ".join(f"{key} {value}" for key, value in cost.items()))
    return 0


def _repeat(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print("usage: onepaper repeat RUN [--output DIR]\n\nRun again what a run folder (or its run.json) records.")
        return 0 if words else 2
    output, rest = _take_option(words, "--output")
    if len(rest) != 1:
        raise UsageError(f"repeat takes one run folder or run.json, got {len(rest)}: {' '.join(rest)}")
    path = Path(rest[0])
    path = path / RECORD_NAME if path.is_dir() else path
    record = read_json(path, "run record")
    missing = [key for key in ("paper", "verb", "options") if not isinstance(record, dict) or key not in record]
    if missing:
        raise UsageError(
            f"{path} is no run record: {', '.join(missing)} missing; expected the run.json of a run folder"
        )
    paper = load_paper(record["paper"])
    verbs = {verb.name: verb for verb in (*paper.verbs, *COMMON_VERBS)}
    if record["verb"] not in verbs:
        raise UsageError(f"{path}: {unknown(f'verb of {paper.name}', record['verb'], verbs)}")
    verb = verbs[record["verb"]]
    config = read_config(paper, verb, path) if record.get("config") is not None else None
    options = from_dict(verb.options, record["options"] or {}, str(path))
    if output is not None:
        options = dataclasses.replace(options, output=Path(output))
    return int(resolve(verb.run)(Invocation(paper, verb, config, options, record.get("preset"))) or 0)


def _completion_script(words: list[str]) -> str:
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


def _candidates(words: list[str]) -> list[str]:
    """What could stand at the last of `words`, which may be empty or half typed; nothing where the rest is wrong."""
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
    verbs = {verb.name: verb for verb in (*paper.verbs, *COMMON_VERBS)}
    if len(before) == 1:
        return list(verbs)
    verb = verbs.get(before[1])
    if verb is None:
        return []
    if before[-1] == "--preset" or verb.name == "presets":
        fits = [name for name, preset in paper.presets.items() if verb.preset is None or verb.accepts(preset.config)]
        return [*fits, *paper.aliases]
    config = None
    if verb.preset is not None:
        preset, _ = _take_option(before[2:], "--preset")
        config = paper.preset(preset or verb.preset).config
    return _value_choices(verb, config, before[-1]) or _option_names(verb, config)


def _option_names(verb: Verb, config: Any) -> list[str]:
    names = [field.name for field in dataclasses.fields(verb.options)]
    if config is not None:
        names += ["preset", "config", *flatten(to_dict(config))]
    return [f"--{name.replace('_', '-')}" for name in (*names, "help")]


def _value_choices(verb: Verb, config: Any, option: str) -> list[str]:
    """The values of a `Literal` option that stands just before the cursor."""
    path = option.removeprefix("--").replace("-", "_").split(".")
    for kind in (verb.options, *([type(config)] if config is not None else [])):
        hint: Any = kind
        for name in path:
            hint = get_type_hints(hint).get(name) if dataclasses.is_dataclass(hint) else None
        if get_origin(hint) is Literal:
            return [str(value) for value in get_args(hint)]
    return []
