"""The verb `export` of papers with weights: trained weights as a folder for a model hub."""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from onepaper.data import sums_problems, write_sums
from onepaper.errors import OnePaperError, UsageError
from onepaper.paper import Invocation, Verb
from onepaper.runs import check_writable, temporary_folder
from onepaper.weights import PRETRAINED_FOLDER, find_weights, shipped_weights

# Files of a network: configurations, tokenizers, parameters.
_COPIED = (".safetensors", ".json", ".txt", ".model")
# What else stands in the folder of a training that has its networks in folders of their own.
_OF_A_RUN = ("run.json", "checkpoints", "samples", "tensorboard", "SHA256SUMS")


@dataclass(frozen=True)
class ExportOptions:
    """Options of the `export` verb."""

    weights: Annotated[str, "positional"] = ""
    """name of shipped weights, or the folder of a training run"""
    folder: Annotated[Path | None, "positional"] = None
    """the new folder"""
    dry_run: bool = False
    """print what would be written, and do nothing"""


EXPORT_VERB = Verb(
    "export",
    "write weights with a model card, licences and samples as a folder for a model hub",
    "onepaper.cli.export:run_export",
    ExportOptions,
)


def run_export(call: Invocation) -> int:
    """Write the folder, as a whole or not at all.

    Raises:
        UsageError: unknown weights, or a folder that holds something.
        OnePaperError: damaged weights, or a place that cannot be written to.
    """
    from onepaper.cli.model_card import model_card

    paper, options = call.paper, call.options
    if not options.weights or options.folder is None:
        shipped = ", ".join(shipped_weights(paper.module)) or "none are shipped"
        raise UsageError(
            f"export takes weights and a new folder: onepaper {paper.name} export WEIGHTS FOLDER ({shipped})"
        )
    folder = options.folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{options.folder} exists and is not empty, expected a new folder")
    source = find_weights(options.weights, paper.module)
    for problem in sums_problems(source):
        raise OnePaperError(problem)
    networks = [path for path in sorted(source.rglob("*")) if _is_copied(path, source)]
    if not any(path.suffix == ".safetensors" for path in networks):
        raise UsageError(f"{source} holds no weights (*.safetensors), expected the folder of a finished training")
    if options.dry_run:
        print(f"would write {len(networks)} files of {source} and a model card to {folder}")
        return 0
    check_writable(folder.parent, "folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder.parent) as scratch:
        made = scratch / folder.name
        for path in networks:
            _copy(path, made / path.relative_to(source))
        for path in _newest_samples(source):
            _copy(path, made / "samples" / path.name)
        card = model_card(paper, options.weights, source, made)
        (made / "README.md").write_text(card, encoding="utf-8")
        write_sums(made)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    print(f"{folder}: {sum(1 for path in folder.rglob('*') if path.is_file())} files, described in README.md")
    for verb in paper.verbs:
        if any(field.name == "weights" for field in dataclasses.fields(verb.options)):
            print(f"next: onepaper {paper.name} {verb.name} --weights {options.folder}")
            break
    return 0


def _is_copied(path: Path, source: Path) -> bool:
    inside = path.relative_to(source).parts
    return path.is_file() and path.suffix in _COPIED and not any(part in _OF_A_RUN for part in inside)


def _newest_samples(source: Path) -> list[Path]:
    """Samples that the training of these weights drew last."""
    steps = sorted(source.parent.glob("samples/step-*"), key=lambda path: int(path.name.removeprefix("step-")))
    return sorted(steps[-1].iterdir()) if steps and source.name == PRETRAINED_FOLDER else []


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
