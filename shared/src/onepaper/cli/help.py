"""Help texts: of the command, of a paper, of a verb's presets, and the list of papers."""

import textwrap

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
    lines = [
        f"usage: onepaper {paper.name} VERB [--preset NAME] [--option value ...]",
        "",
        f"{paper.title}",
        f"{paper.authors}. {paper.venue} ({paper.year}), arXiv:{paper.arxiv}",
        "",
        "verbs:",
        *(f"  {verb.name:<12} {verb.summary}" for verb in verbs_of(paper).values()),
        "",
        "presets:",
        *(f"  {name:<24} {preset.summary}" for name, preset in paper.presets.items()),
        *(f"  {alias:<24} the same as {name}" for alias, name in paper.aliases.items()),
        "",
        f"options of a verb: onepaper {paper.name} VERB --help",
    ]
    return "\n".join(lines)


def print_presets_of(paper: Paper, verb: Verb, chosen: str | None) -> None:
    """The presets that `verb` accepts, `chosen` marked; precedes tyro's help of the options."""
    print("presets (--preset NAME, or --config FILE to repeat a recorded configuration):")
    for name, preset in paper.presets.items():
        if verb.accepts(preset.config):
            print(f"  {'*' if name == chosen else ' '} {name:<24} {preset.summary}")
    print("the defaults below are those of the preset marked *\n")
