"""The verb `rate`: a page of blind pairs for people to compare, and the result of their answers."""

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from sed.cli.options import RateOptions
from sed.evaluation.ratings import Pair, make_pairs, page_id, preference

KEY_NAME, PAGE_NAME = "key.json", "index.html"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Which text is better?</title>
<style>
body {{ font: 1.05rem/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
fieldset {{ display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin-bottom: 1rem; }}
label {{ white-space: pre-wrap; }}
</style></head><body>
<h1>Which text is better?</h1>
<form id="form">{pairs}<button>Save answers</button></form>
<script>
document.getElementById("form").addEventListener("submit", event => {{
  event.preventDefault();
  const data = new FormData(event.target);
  const choices = Array.from({{length: {count}}}, (_, number) => data.get(`pair-${{number}}`));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify({{page: "{page}", choices}})]));
  link.download = "answers.json";
  link.click();
}});
</script></body></html>
"""

CHOICE = '<label><input type="radio" name="pair-{number}" value="{side}" required> {text}</label>'


def rate_verb(call: Invocation) -> None:
    """The verb `rate`: without a key it makes the page and the key, with one it reads answers."""
    options: RateOptions = call.options
    if options.dry_run:
        print("would read answers" if options.key else "would make a page of pairs")
        return
    if options.key is not None:
        print_result(options.key, options.answers)
        return
    if options.first is None or options.second is None:
        raise UsageError("rate needs samples of two systems, --first and --second, or --key with --answers")
    pairs = make_pairs(read_samples(options.first), read_samples(options.second), seed=options.seed)
    with call.open_run() as run:
        write_atomic(run.folder / PAGE_NAME, rating_page(pairs))
        key = {"page": page_id(pairs), "first_is_left": [pair.first_is_left for pair in pairs]}
        write_atomic(run.folder / KEY_NAME, json.dumps(key) + "\n")
    print(f"{len(pairs)} pairs: give {run.folder / PAGE_NAME} to raters, who send back their answers.json")
    print(f"next: onepaper {call.paper.name} rate --key {run.folder / KEY_NAME} --answers FILES")


def read_samples(path: Path) -> list[str]:
    """The samples of a folder (`sample-0.txt`, ...), or the lines of a file.

    Raises:
        UsageError: there are none, or a file cannot be read.
    """
    try:
        if path.is_dir():
            files = sorted(path.glob("sample-*.txt"), key=lambda file: (len(file.name), file.name))
            texts = [file.read_text(encoding="utf-8") for file in files]
        else:
            texts = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); give a folder of samples or a UTF-8 file") from None
    if not texts:
        raise UsageError(f"{path} has no samples, expected files sample-0.txt, ... or lines")
    return texts


def rating_page(pairs: list[Pair]) -> str:
    """All pairs on one page, complete in one file; it does not hold which side is which."""
    fields = []
    for number, pair in enumerate(pairs):
        sides = zip(("left", "right"), pair[:2], strict=True)
        choices = [CHOICE.format(number=number, side=side, text=html.escape(text)) for side, text in sides]
        fields.append(f"<fieldset><legend>{number + 1}</legend>{''.join(choices)}</fieldset>")
    return PAGE.format(pairs="".join(fields), count=len(pairs), page=page_id(pairs))


def print_result(key_path: Path, answers: tuple[Path, ...]) -> None:
    """Match answers with their key and print the preference.

    Raises:
        UsageError: no answers, damaged files, or answers to another page.
    """
    if not answers:
        raise UsageError("rate has a key and no answers; give the raters' files with --answers")
    key = _read(key_path, "first_is_left", bool)
    rows = []
    for path in answers:
        content = _read(path, "choices", str)
        if content["page"] != key["page"] or len(content["choices"]) != len(key["first_is_left"]):
            raise UsageError(f"{path} has answers to another page than {key_path}; give those of this page")
        if unknown := set(content["choices"]) - {"left", "right"}:
            raise UsageError(f"{path} has the choice {min(unknown)[:40]!r}, expected left or right")
        rows.append([(choice == "left") == is_left for choice, is_left in
                     zip(content["choices"], key["first_is_left"], strict=True)])  # fmt: skip
    found = preference(np.array(rows))
    print(f"first preferred: {100 * found.share:.1f}% +- {100 * found.standard_error:.1f} of {found.choices} choices")
    print(f"95% interval (Wilson): {100 * found.low:.1f}% to {100 * found.high:.1f}%")
    if len(rows) > 1:
        print(f"raters agree on {100 * found.agreement:.1f}% of the pairs")


def _read(path: Path, name: str, kind: type) -> dict[str, Any]:
    """A JSON file with a page's name and a list of values of one kind."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read ({error}); give a file of this verb or of a rater") from None
    values = content.get(name) if isinstance(content, dict) else None
    if not isinstance(values, list) or not values or not all(isinstance(value, kind) for value in values):
        raise UsageError(f"{path} has no list '{name}' of {kind.__name__}, expected a file of this verb or of a rater")
    return {"page": content.get("page"), name: values}
