"""The verb `evaluate`: pictures of a folder on counting prompts and against a folder of real pictures."""

from collections.abc import Sequence
from pathlib import Path

from onepaper.claims.statistics import Interval
from onepaper.display.file_bytes import figure_png, picture_png
from onepaper.display.gallery import File, Item, Section, save_samples, write_page
from onepaper.display.plots import plot_axes
from onepaper.errors import UsageError
from onepaper.images.folders import image_files
from onepaper.images.reading import read_image
from onepaper.paper import Invocation

from imagen3.cli.evaluate_distances import evaluate_distances
from imagen3.cli.options import EvaluateOptions
from imagen3.cli.tables import print_tables, write_tables
from imagen3.data.tables import table_text
from imagen3.evaluation.counting import CountingPrompt, Scored, accuracy, accuracy_by, read_counting_prompts
from imagen3.evaluation.scene_counting import SceneCounts, count_scenes, prompt_of
from imagen3.evaluation.scene_scorer import ScorerCheck, check_scorer

# Pictures on the page, evenly from all.
SHOWN = 48
# Scenes with known content on which the scorer is tried first.
CHECKED = 70

Groups = dict[str, dict[int | str, tuple[int, Interval]]]
"""For each kind of group, the number of questions and the accuracy of each group."""


def evaluate_verb(call: Invocation) -> None:
    """Print the results and write `evaluation.json`, `answers.csv` and a page into the run folder."""
    options = call.options
    assert isinstance(options, EvaluateOptions)
    if options.prompts is None and options.reference is None:
        raise UsageError("give --prompts FILE for counts, or --reference FOLDER for distances from real pictures")
    if options.dry_run:
        print(f"would evaluate the pictures of {options.pictures} on {options.prompts or options.reference}")
    elif options.reference is not None:
        evaluate_distances(call, options.reference)
    else:
        assert options.prompts is not None
        _evaluate_counts(call, options, options.prompts)


def _evaluate_counts(call: Invocation, options: EvaluateOptions, path: Path) -> None:
    prompts = {prompt.id: prompt for prompt in read_counting_prompts(path)}
    files = image_files(options.pictures)
    named = {file: prompt_of(file.stem, prompts) for file in files}
    side = options.scene_size
    pictures = {
        file.name: (prompt, read_image(file, size=(side, side))) for file, prompt in named.items() if prompt is not None
    }
    if not pictures:
        raise UsageError(
            f"{options.pictures}: no file has the name of a prompt; expected DATASET_ID.png or DATASET_ID_SEED.png, "
            f"e.g. {next(iter(prompts))}_0.png"
        )
    check = check_scorer(CHECKED, options.seed, size=side)
    counts = count_scenes(list(prompts.values()), pictures, places=options.places)
    whole = accuracy(counts.scored, seed=options.seed)
    groups: Groups = {
        "type": accuracy_by(counts.scored, lambda one: one.type, seed=options.seed),
        "number": accuracy_by(counts.scored, lambda one: one.target, seed=options.seed),
    }
    rows = [("questions", "number", "accuracy"), ("all", f"{len(counts.scored):,}", _shown(whole))]
    rows += [(str(key), f"{count:,}", _shown(own)) for part in groups.values() for key, (count, own) in part.items()]
    with call.open_run() as run:
        run.write_json("evaluation.json", _as_json(whole, groups, check))
        write_tables(run, {"Counting": rows})
        shown = {name: pictures[name][1] for name in list(pictures)[:: max(len(pictures) // SHOWN, 1)][:SHOWN]}
        save_samples(
            run.folder,
            {
                "answers.csv": _answers(counts.scored).encode(),
                "by-number.png": _bars(groups, "number"),
                "by-type.png": _bars(groups, "type"),
                **{f"{name}.png": picture_png(pixels) for name, pixels in shown.items()},
            },
        )
        sections = [
            Section([_item(["by-number.png"]), _item(["by-type.png"]), _item(["answers.csv"], "link")], "Accuracy"),
            Section([_item([f"{name}.png"], caption=_caption(name, prompts, counts)) for name in shown], "Pictures"),
        ]
        lead = (
            f"{len(pictures):,} pictures, {len(counts.scored):,} questions, accuracy {_shown(whole)}. {_words(check)}"
        )
        page = write_page(run.folder, f"Counting: {options.pictures.name}", sections, lead)
    print(f"{len(pictures):,} pictures of {len(prompts):,} prompts, {len(counts.scored):,} questions")
    if len(pictures) < len(files):
        print(f"{len(files) - len(pictures):,} other pictures have the name of no prompt and are left out")
    print_tables({"Accuracy, 95% intervals over prompts": rows})
    print(f"{_words(check)}\n{page}")


def _shown(interval: Interval) -> str:
    return f"{interval.estimate:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def _words(check: ScorerCheck) -> str:
    return f"The scorer answers {check.accuracy:.1%} of the questions about {CHECKED} scenes with known content right."


def _as_json(whole: Interval, groups: Groups, check: ScorerCheck) -> dict[str, object]:
    return {
        "accuracy": whole._asdict(),
        **{
            f"by {name}": {str(key): {"questions": count, **own._asdict()} for key, (count, own) in part.items()}
            for name, part in groups.items()
        },
        "scorer": {"accuracy": check.accuracy, "scenes": check.scenes, "confusion": check.confusion.tolist()},
    }


def _answers(scored: Sequence[Scored]) -> str:
    names = ("picture", "prompt", "question", "noun", "type", "requested", "right")
    rows = [(one.picture, *map(str, (own.prompt, own.number, own.noun, own.type, own.target, one.share)))
            for one in scored for own in [one.question]]  # fmt: skip
    return table_text(names, rows)


def _bars(groups: Groups, name: str) -> bytes:
    """Accuracy with intervals for each requested number or type of prompt."""
    figure, axes = plot_axes("requested number" if name == "number" else "", "accuracy")
    places = range(len(groups[name]))
    intervals = [own for _, own in groups[name].values()]
    low, high = ([abs(own[end] - own.estimate) for own in intervals] for end in (1, 2))
    axes.bar(places, [own.estimate for own in intervals], yerr=[low, high], capsize=3, color="#56b4e9")
    axes.set_xticks(places, [str(key) for key in groups[name]], rotation=0 if name == "number" else 30, ha="center")
    axes.set_ylim(0, 1)
    return figure_png(figure)


def _item(names: Sequence[str], kind: str = "picture", caption: str = "") -> Item:
    return Item([File(name, name, kind) for name in names], caption)


def _caption(name: str, prompts: dict[str, CountingPrompt], counts: SceneCounts) -> str:
    requested = next(one.question.prompt for one in counts.scored if one.picture == name)
    kinds = [thing.kind for thing in counts.found[name]]
    found = ", ".join(f"{kinds.count(kind)} {kind.singular}" for kind in dict.fromkeys(kinds)) or "nothing"
    return f"{prompts[requested].text}; found {found}. "
