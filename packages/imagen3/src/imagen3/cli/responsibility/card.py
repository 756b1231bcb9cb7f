"""The verb `card`: a model card from the weights of a system and the tables of other verbs."""

from pathlib import Path

from onepaper.checkpoints import read_pretrained
from onepaper.config import shortened
from onepaper.display.gallery import save_samples
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.weights import find_weights

from imagen3.cli.options import CardOptions
from imagen3.config import SystemConfig
from imagen3.data.tables import read_json_object
from imagen3.responsibility.model_card import Rows, model_card


def card_verb(call: Invocation) -> None:
    """Write `model-card.md` into the run folder."""
    options = call.options
    assert isinstance(options, CardOptions)
    if options.dry_run:
        print(f"would write a card of {options.weights}")
        return
    config, _ = read_pretrained(find_weights(options.weights, "imagen3"), SystemConfig)
    tables: dict[str, Rows] = {}
    for file in options.tables:
        tables |= _read_tables(file)
    card = model_card(options.weights, config, tables)
    with call.open_run() as run:
        save_samples(run.folder, {"model-card.md": card.encode()})
        print(run.folder / "model-card.md")


def _read_tables(path: Path) -> dict[str, Rows]:
    """The tables of a `tables.json`."""
    found: dict[str, Rows] = {}
    for title, rows in read_json_object(path).items():
        lists = isinstance(rows, list) and rows and all(isinstance(row, list) for row in rows)
        if (
            not lists
            or len({len(row) for row in rows}) > 1
            or not all(isinstance(own, str) for row in rows for own in row)
        ):
            raise UsageError(f"{path}: {shortened(title)} is no table; expected a tables.json of another verb")
        found[title] = rows
    return found
