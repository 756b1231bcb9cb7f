"""The command `onepaper`: `list`, `PAPER VERB`, `repeat RUN`, `completion SHELL`.

The preset is taken off the command line first, so that a verb's parser has one configuration with its defaults. tyro
and the frameworks are imported only once the verb is known. Every error is reported in one line.
"""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from onepaper.cli.common_verbs import verbs_of
from onepaper.cli.completion import TOP_COMMANDS, candidates, completion_script
from onepaper.cli.help import paper_help, print_list, top_help
from onepaper.cli.long_running import StopRequest, stop_on_signals
from onepaper.cli.parsing import parse, read_config, take_option
from onepaper.config import from_dict, unknown
from onepaper.errors import OnePaperError, PeerLostError, UsageError
from onepaper.paper import Invocation, Paper, load_paper, paper_names, resolve
from onepaper.runs import RECORD_NAME, read_record

# Of an editable install; below site-packages there is no folder of papers.
CHECKOUT = Path(__file__).parents[4]


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `onepaper`; exits with 0, 1 (failure), 2 (wrong usage) or 128 + signal (stopped)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _check_text(words)
        status = _dispatch(words)
    except PeerLostError as error:
        status = _fail(str(error), error.exit_code)
        sys.stdout.flush()
        os._exit(status)  # at the interpreter's usual end the back ends would wait for the lost process
    except OnePaperError as error:
        status = _fail(str(error), error.exit_code)
        # Notes (PEP 678), such as an expression with a caret below it, keep their line breaks.
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
    except StopRequest as stop:
        status = _fail(str(stop), 128 + stop.number)
    except KeyboardInterrupt:
        status = _fail("interrupted", 130)
    except BrokenPipeError:
        # The reading end (head, less) is closed; without this the interpreter's final flush would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        status = _fail(f"{place}{error.strerror or error}; check the path, its permissions and free space", 1)
    sys.exit(status)


def _check_text(words: Sequence[str]) -> None:
    """Raise `UsageError` for words that no record of a run could hold: file names and prompts that are not UTF-8."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{word!r} is not UTF-8 text; type it again, or rename the file") from None


def _fail(message: str, status: int) -> int:
    print(f"onepaper: {' '.join(message.split())}", file=sys.stderr)
    return status


def _dispatch(words: list[str]) -> int:
    command, rest = (words[0], words[1:]) if words else ("--help", [])
    if command in ("-h", "--help", "help"):
        print(top_help())
    elif command in ("-V", "--version"):
        from onepaper import __version__

        print(f"onepaper {__version__}")
    elif command == "list":
        print_list()
    elif command == "completion":
        print(completion_script(rest))
    elif command == "__complete":
        print("\n".join(candidates(rest)))
    elif command == "repeat":
        return _repeat(rest)
    elif command.startswith("-"):
        raise UsageError(unknown("option", command, ["--help", "--version"]))
    elif (names := paper_names()) and command not in names:
        if (CHECKOUT / "packages" / command / "pyproject.toml").is_file():
            raise UsageError(f"{command} is not installed here; in {CHECKOUT}: pip install ./packages/{command}")
        raise UsageError(unknown("paper or command", command, [*names, *TOP_COMMANDS]))
    else:
        return _run_paper(load_paper(command), rest)
    return 0


def _run_paper(paper: Paper, words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(paper_help(paper))
        return 0
    verbs = verbs_of(paper)
    if words[0] not in verbs:
        raise UsageError(f"{unknown(f'verb of {paper.name}', words[0], verbs)} (`onepaper {paper.name} --help`)")
    call = parse(paper, verbs[words[0]], words[1:])
    if call is None:
        return 0
    run = resolve(call.verb.run)
    with stop_on_signals() if call.verb.long_running else contextlib.nullcontext():
        return int(run(call) or 0)


def _repeat(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print("usage: onepaper repeat RUN [--output DIR]\n\nRun again what a run folder (or its run.json) records.")
        return 0 if words else 2
    output, rest = take_option(words, "--output")
    if len(rest) != 1:
        raise UsageError(f"repeat takes one run folder or run.json, got {len(rest)}: {' '.join(rest)}")
    path = Path(rest[0])
    path = path / RECORD_NAME if path.is_dir() else path
    record = read_record(path)
    paper = load_paper(record["paper"])
    verbs = verbs_of(paper)
    if record["verb"] not in verbs:
        raise UsageError(f"{path}: {unknown(f'verb of {paper.name}', record['verb'], verbs)}")
    verb = verbs[record["verb"]]
    config = read_config(paper, verb, path) if record.get("config") is not None else None
    options = from_dict(verb.options, record["options"] or {}, str(path))
    if output is not None:
        options = dataclasses.replace(options, output=Path(output))
    return int(resolve(verb.run)(Invocation(paper, verb, config, options, record.get("preset"))) or 0)
