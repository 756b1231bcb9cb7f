"""Help texts: of the command, of a paper, of a verb's presets, and the list of papers."""

import re
import textwrap

from onepaper.cli.columns import WIDTH, columns
from onepaper.cli.common_verbs import verbs_of
from onepaper.errors import OnePaperError
from onepaper.paper import Paper, Verb, load_paper, paper_names


def print_list() -> None:
    """The installed papers, one line each; a package that does not import gets its error as its line."""
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


def top_help() -> str:
    """The text of `onepaper --help`."""
    return textwrap.dedent("""\
        usage: onepaper PAPER VERB [--preset NAME] [--option value ...]

        Research papers as installable packages whose claims run on a laptop.

        commands:
          list                        the papers that are installed
          PAPER --help                what can be done with a paper
          PAPER VERB --help           a verb's presets and options
          repeat RUN [--output DIR]   run again what RUN/run.json records
          completion bash|zsh|fish    a completion script: eval "$(onepaper completion bash)"

        first steps:
          onepaper list
          onepaper compose-diffusion reproduce""")


def paper_help(paper: Paper) -> str:
    """The text of `onepaper PAPER --help`."""
    source = f"{paper.authors}. {paper.venue} ({paper.year}), arXiv:{paper.arxiv}"
    lines = [
        f"usage: onepaper {paper.name} VERB [--preset NAME] [--option value ...]",
        "",
        *textwrap.wrap(paper.title, WIDTH),
        *textwrap.wrap(source, WIDTH),
        "",
        "verbs:",
        *columns((verb.name, verb.summary) for verb in verbs_of(paper).values()),
        "",
        "presets:",
        *columns((name, preset.summary) for name, preset in paper.presets.items()),
        *columns((alias, f"the same as {name}") for alias, name in paper.aliases.items()),
        "",
        f"options of a verb: onepaper {paper.name} VERB --help",
    ]
    return "\n".join(lines)


def presets_help(paper: Paper, verb: Verb, chosen: str | None) -> str:
    """The presets that `verb` accepts, `chosen` marked."""
    fitting = [(name, preset.summary) for name, preset in paper.presets.items() if verb.accepts(preset.config)]
    first = "presets (--preset NAME, or --config FILE to repeat a recorded configuration;"
    return "\n".join([first, "the defaults below are those of the preset marked *):", *columns(fitting, chosen or "")])


def plain_help(text: str) -> str:
    """tyro's help without its rules and boxes, and without defaults that say nothing."""
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^╭─ (.*?) ─*╮$", r" \1\n -----", text, flags=re.MULTILINE)
    text = re.sub(r"^│ ?(.*?) *│$", r"  \1", text, flags=re.MULTILINE)
    text = re.sub(r"^ (\S.*)\n +-+$", r"\1:", text, flags=re.MULTILINE)
    text = re.sub(r"^╰─*╯$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^ +[-─]+\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\s*\(default:\s*(?:None|''|\(\))?\)", "", text)
    # Columns keep their places.
    return re.sub(r"\{None\}\|(\S+)( *)", lambda found: found[1] + (found[2] and f"{found[2]}{' ' * 7}"), text)
