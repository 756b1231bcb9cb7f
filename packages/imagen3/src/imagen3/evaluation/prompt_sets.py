"""Prompt sets of public benchmarks, read from files in their published formats (paper, sections 3.1 and 3.2).

None of these files ships with the package.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from onepaper.config import check_choice, shortened
from onepaper.errors import UsageError

from imagen3.data.tables import read_json_lines, read_json_object, read_table, read_text, text_of


class Prompt(NamedTuple):
    """A text with its identifier, and what its benchmark says about it."""

    id: str
    text: str
    tags: tuple[str, ...] = ()
    """skills, category or task"""
    requirements: Mapping[str, Any] | None = None
    """of GenEval"""


def genai_bench(path: Path) -> list[Prompt]:
    """`genai_image.json` of GenAI-Bench: objects by identifier, each with a `prompt`; skills of `genai_skills.json`
    beside it, if there is one: lists of identifiers by skill."""
    skills: dict[str, list[str]] = {}
    beside = path.with_name("genai_skills.json")
    if beside.is_file():
        for skill, numbers in read_json_object(beside).items():
            if not isinstance(numbers, list):
                raise UsageError(f"{beside}: {shortened(skill)} is no list of identifiers")
            for number in numbers:
                skills.setdefault(str(number).zfill(5), []).append(skill)
    found = []
    for name, entry in read_json_object(path).items():
        where = f"{path}: {shortened(name)}"
        if not isinstance(entry, dict):
            raise UsageError(f"{where} is {shortened(entry)}, expected an object with a prompt")
        found.append(Prompt(name, text_of(entry, "prompt", where), tuple(skills.get(name.zfill(5), ()))))
    return found


def drawbench(path: Path) -> list[Prompt]:
    """A table of DrawBench with the columns Prompts and Category."""
    rows = read_table(path, ("Prompts", "Category"))
    return [Prompt(f"drawbench_{number:03d}", row["Prompts"], (row["Category"],)) for number, row in enumerate(rows)]


def dalle3_eval(path: Path) -> list[Prompt]:
    """A text file with one prompt a line, or a table with a column `prompt`."""
    if path.suffix.lower() in (".csv", ".tsv"):
        texts = [row["prompt"] for row in read_table(path, ("prompt",))]
    else:
        texts = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    return [Prompt(f"dalle3_{number:03d}", text) for number, text in enumerate(texts)]


def docci(path: Path) -> list[Prompt]:
    """`docci_descriptions.jsonlines` of DOCCI: objects with example_id, split and description; the split is the tag."""
    found = []
    for number, row in enumerate(read_json_lines(path), 1):
        where = f"{path}, object {number}"
        texts = [text_of(row, name, where) for name in ("example_id", "description", "split")]
        found.append(Prompt(texts[0], texts[1], (texts[2],)))
    return found


def geneval(path: Path) -> list[Prompt]:
    """`evaluation_metadata.jsonl` of GenEval: objects with tag, prompt, and clauses `include` and `exclude`."""
    found = []
    for number, row in enumerate(read_json_lines(path)):
        where = f"{path}, object {number + 1}"
        for clause in ("include", "exclude"):
            if not isinstance(row.get(clause, []), list):
                raise UsageError(f"{where}: {clause} is {shortened(row[clause])}, expected a list")
        found.append(Prompt(f"{number:05d}", text_of(row, "prompt", where), (text_of(row, "tag", where),), row))
    return found


def gecko(path: Path, *, disagreement: str = "") -> list[Prompt]:
    """`prompts.csv` of the Gecko benchmark: prompt_id, prompt_type, dataset_id, prompt.

    Args:
        path: of the file.
        disagreement: a column `max_disagreement_less_X%`; only prompts that are reliable by it are kept.
    """
    columns = ("prompt_id", "prompt", "prompt_type", *([disagreement] if disagreement else []))
    rows = read_table(path, columns)
    kept = [row for row in rows if not disagreement or row[disagreement].lower() in ("1", "1.0", "true")]
    return [Prompt(row["prompt_id"], row["prompt"], (row["prompt_type"],)) for row in kept]


def geckonum(path: Path) -> list[Prompt]:
    """`prompts.csv` of GeckoNum with prompts of all types."""
    rows = read_table(path, ("prompt", "prompt_type", "dataset_id"))
    return [Prompt(row["dataset_id"], row["prompt"], (row["prompt_type"],)) for row in rows]


READERS: dict[str, Callable[[Path], list[Prompt]]] = {
    "genai-bench": genai_bench,
    "drawbench": drawbench,
    "dalle3-eval": dalle3_eval,
    "docci": docci,
    "geneval": geneval,
    "gecko": gecko,
    "geckonum": geckonum,
}


def read_prompts(name: str, path: Path) -> list[Prompt]:
    """The prompts of a benchmark.

    Raises:
        UsageError: an unknown benchmark, a file that cannot be read, an empty prompt, or an identifier that is there
            twice.
    """
    check_choice("set of prompts", name, READERS)
    found = READERS[name](path)
    seen: set[str] = set()
    for prompt in found:
        if not prompt.text or not prompt.id or prompt.id in seen:
            raise UsageError(f"{path}: {shortened(prompt.id)} has no text or is there twice, expected each prompt once")
        seen.add(prompt.id)
    if not found:
        raise UsageError(f"{path} holds no prompts")
    return found
