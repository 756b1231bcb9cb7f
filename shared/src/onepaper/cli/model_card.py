"""A model card: what weights are, how they are used, which recorded claims rest on them, and under which licences."""

import importlib.metadata
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onepaper.checkpoints import CONFIG_NAME
from onepaper.claims.results import Outcome, recorded_outcomes
from onepaper.claims.tables import markdown_cell, markdown_table
from onepaper.paper import ENTRY_POINT_GROUP, Paper
from onepaper.runs import RECORD_NAME, read_record
from onepaper.weights import PRETRAINED_FOLDER

LICENCES = "licences"
FIGURES = "figures"


def model_card(paper: Paper, name: str, source: Path, folder: Path) -> str:
    """The Markdown text of a card; licences and figures are copied beside it.

    Args:
        paper: that of the package.
        name: of the weights, as a user gives it.
        source: folder of the weights.
        folder: where the card will stand, with the files of the weights.
    """
    title = Path(name).parent.name if Path(name).name == PRETRAINED_FOLDER else Path(name).name
    claims = [outcome for outcome in recorded_outcomes(paper) if outcome.result and rests_on(outcome, paper, source)]
    installed = _distribution(paper)
    package = installed.name if installed else f"onepaper-{paper.name}"
    parts = [
        _front_matter(paper, package),
        f"# {title}",
        f"Weights of the package {package}, for the paper *{paper.title}* ({paper.authors}; {paper.venue}, "
        f"{paper.year}; [arXiv](https://arxiv.org/abs/{paper.arxiv})). Only this package reads them; it verifies "
        "`SHA256SUMS` when it opens them.",
        "## Use",
        f"```bash\npip install {package}\nonepaper {paper.name} --help\n```",
        "Options and functions that take the name of weights take the path of this folder.",
        "## Files",
        markdown_table(("file", "parameters", "types"), list(_parameters(folder))),
        *_claims(paper, claims, folder),
        *_training(source),
        *_configurations(folder),
        "## Licences",
        _licences(paper, folder),
    ]
    return "\n\n".join(parts) + "\n"


def _distribution(paper: Paper) -> importlib.metadata.Distribution | None:
    """The installed distribution that declares the paper; None in a checkout that is not installed."""
    entries = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=paper.name)
    return next((entry.dist for entry in entries), None)


def rests_on(outcome: Outcome, paper: Paper, source: Path) -> bool:
    """Whether a claim names files of these weights among its assets."""
    root = paper.package_folder()
    if not source.is_relative_to(root):
        return False
    start = f"{source.relative_to(root).as_posix()}/"
    return any(asset.startswith(start) for asset in outcome.claim.assets)


def _front_matter(paper: Paper, package: str) -> str:
    lines = ["license: apache-2.0", f"library_name: {package}", "tags:", f"- {paper.name}"]
    return "\n".join(["---", *lines, *([f"- {paper.framework}"] if paper.framework != "none" else []), "---"])


def _parameters(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Name, number of parameters and their types of each file, from its header alone."""
    from safetensors import safe_open

    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            slices = [file.get_slice(key) for key in file.keys()]  # noqa: SIM118
        count = sum(math.prod(part.get_shape()) for part in slices)
        types = sorted({part.get_dtype() for part in slices})
        yield path.relative_to(folder).as_posix(), f"{count:,}", ", ".join(types)


def _claims(paper: Paper, outcomes: list[Outcome], folder: Path) -> Iterator[str]:
    if not outcomes:
        return
    yield "## Claims that were measured with these weights"
    rows = [
        (
            outcome.claim.id,
            markdown_cell(outcome.claim.statement),
            markdown_cell(outcome.headline),
            f"{outcome.verdict} {outcome.mark}".strip(),
        )
        for outcome in outcomes
    ]
    yield markdown_table(("id", "claim of the paper", "measured", "verdict"), rows)
    yield f"`onepaper {paper.name} reproduce --claims ID` measures one again."
    for outcome in outcomes:
        artifacts = outcome.result.artifacts if outcome.result else None
        for artifact in artifacts or ():
            if artifact.kind == "picture" and outcome.folder is not None:
                target = folder / FIGURES / artifact.file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(outcome.folder / FIGURES / artifact.file, target)
                yield f"![{outcome.claim.id}: {artifact.title}]({FIGURES}/{artifact.file})"


def _training(source: Path) -> Iterator[str]:
    record = source.parent / RECORD_NAME
    if source.name != PRETRAINED_FOLDER or not record.is_file():
        return
    values = read_record(record)
    yield "## Training"
    yield f"```bash\n{values['command']}\n```"
    hardware: dict[str, Any] = values.get("hardware") or {}
    facts = {"seed": values.get("seed"), "commit": values.get("commit"), "processor": hardware.get("processor")}
    yield ", ".join(f"{key} {value}" for key, value in facts.items() if value is not None)


def _configurations(folder: Path) -> Iterator[str]:
    yield "## Configuration"
    for path in sorted(folder.rglob(CONFIG_NAME)):
        content = json.loads(path.read_text(encoding="utf-8"))
        shown = json.dumps(content.get("config", content), indent=1, ensure_ascii=False)
        yield f"`{path.relative_to(folder).as_posix()}`\n\n```json\n{shown}\n```"


def _licences(paper: Paper, folder: Path) -> str:
    """Copy the licences of the package and of the data that it holds; returns what they are."""
    found = {path.name: path for path in sorted(paper.package_folder().glob("assets/data/*licence*"))}
    installed, project = _distribution(paper), paper.project_folder()
    if project is not None:
        found["LICENSE"] = project / "LICENSE"
    elif installed is not None:
        found |= {file.name: Path(str(file.locate())) for file in installed.files or () if file.name == "LICENSE"}
    for name, path in found.items():
        (folder / LICENCES).mkdir(exist_ok=True)
        shutil.copyfile(path, folder / LICENCES / name)
    names = ", ".join(f"[{name}]({LICENCES}/{name})" for name in found)
    ours = f"Of the package and of the data that it holds: {names}. " if names else ""
    return f"{ours}Data of your own have a licence of their own."
