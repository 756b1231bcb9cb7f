"""Command-line words to an `Invocation`: the preset or configuration first, then the options by tyro.

tyro is imported only here, and only when a verb is parsed. pyproject.toml limits its version, because `error_in_box`
reads the layout of its error message.
"""

import contextlib
import dataclasses
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from onepaper.cli.columns import WIDTH
from onepaper.cli.help import plain_help, presets_help
from onepaper.cli.long_running import NOTE
from onepaper.config import from_dict, read_json
from onepaper.errors import UsageError
from onepaper.paper import Invocation, Paper, Verb
from onepaper.runs import RECORD_NAME, read_record


def parse(paper: Paper, verb: Verb, words: Sequence[str]) -> Invocation | None:
    """The `Invocation` that the words after the verb describe; None when help was requested (and is printed).

    Raises:
        UsageError: unknown preset, option or value, in one line.
    """
    config, preset, rest = None, None, list(words)
    if verb.preset is not None:
        preset, rest = take_option(rest, "--preset")
        source, rest = take_option(rest, "--config")
        if preset is not None and source is not None:
            raise UsageError("--preset and --config were both given; choose one")
        config = _config_of(paper, verb, preset, source)
        preset = None if source else paper.aliases.get(preset or verb.preset, preset or verb.preset)
    parsed = _parse_with_tyro(verb, config, rest, f"onepaper {paper.name} {verb.name}")
    if isinstance(parsed, str):
        usage, summary, options = parsed.split("\n\n", 2)
        if verb.preset is not None:
            usage = usage.replace("[-h]", "[-h] [--preset NAME | --config FILE]", 1)
            options = f"{presets_help(paper, verb, preset)}\n\n{options}"
        usage = textwrap.fill(usage, WIDTH, subsequent_indent=" " * len("usage: "), break_on_hyphens=False)
        print(usage, textwrap.fill(summary, WIDTH), options.rstrip(), sep="\n\n")
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
    """A configuration from a run folder, its `run.json`, or a JSON file of the configuration alone.

    Raises:
        UsageError: the file is missing, or is not a configuration that `verb` accepts.
    """
    path = path / RECORD_NAME if path.is_dir() else path
    values = read_json(path, "configuration")
    wanted = None
    if isinstance(values, dict) and "config_type" in values:
        record = read_record(path)
        wanted, values = record["config_type"], record.get("config")
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


def take_option(words: list[str], option: str) -> tuple[str | None, list[str]]:
    """The value of `--option VALUE` or `--option=VALUE` (the last one counts), and the other words.

    Raises:
        UsageError: the option has no value.
    """
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
    """The parsed call, or the text of its help."""
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
    description = f"{verb.summary}. {NOTE}" if verb.long_running else verb.summary
    box, shown = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stderr(box), contextlib.redirect_stdout(shown):
            parsed = tyro.cli(
                call_type,
                default=call_type(**defaults),
                args=words,
                prog=program,
                description=description,
                # A nested configuration that may be None has options where the preset has one, instead of a subcommand.
                config=(tyro.conf.AvoidSubcommands,),
            )
    except SystemExit as leaving:
        if not leaving.code:
            return plain_help(shown.getvalue())
        raise UsageError(f"{error_in_box(box.getvalue())} (`{program} --help`)") from None
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
    optional = {
        field.name
        for field in dataclasses.fields(options)
        if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    }
    for name, hint in hints.items():
        for mark in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
            if mark in marks:
                annotations[name] = marks[mark][get_args(hint)[0]]
            if mark == "positional":
                metavar = f"[{name.upper()}]" if name in optional else name.upper()
                annotations[name] = Annotated[annotations[name], tyro.conf.arg(metavar=metavar)]
    if annotations == hints:
        return options
    parser_type = type(options.__name__, (options,), {"__annotations__": annotations, "__doc__": options.__doc__})
    for field in dataclasses.fields(options):
        if field.default is not dataclasses.MISSING:
            setattr(parser_type, field.name, field.default)
        else:
            setattr(parser_type, field.name, dataclasses.field(default_factory=field.default_factory))  # type: ignore[arg-type]
    return dataclass(frozen=True)(parser_type)


def error_in_box(box: str) -> str:
    """The message of tyro's error box in one line, with its first suggestion.

    The box is a title line, the message, and after a rule perhaps "Perhaps you meant:" with suggestions; its border is
    Unicode or ASCII, and where stdout is no UTF-8 there is none, but a rule below the title. An unknown layout gives
    the whole text in one line.
    """
    title, *lines = [line.strip("│| ").strip() for line in box.splitlines()] or [""]
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line and set(line) <= set("─-+╰╯"):
            blocks.append([])
        else:
            blocks[-1].append(line)
    if not title.startswith(("╭", "+")) and not any(blocks[0]):
        del blocks[0]
    message = " ".join(blocks[0]).rstrip(".") if blocks else ""
    for block in blocks[1:]:
        if block and block[0].startswith("Perhaps you meant") and len(block) > 1:
            return f"{message}: did you mean '{block[1].split()[0]}'?"
    return message or " ".join(box.split())
