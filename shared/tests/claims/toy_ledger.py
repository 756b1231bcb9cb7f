"""A paper with a ledger, written into a folder, for the tests of results, tables, report and reproduce."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onepaper.claims import Above, Below, Claim, ClaimContext, NotTestable, PaperScale
from onepaper.claims.evidence import Cost
from onepaper.claims.results import Result, write_result
from onepaper.fingerprint import claim_fingerprint

CODE = """
import numpy as np
from matplotlib.figure import Figure
from onepaper.claims import Evidence, ImageGrid, Measurement, Note, Plot, Sound, Table
CALLS = []

def accuracy(context):
    CALLS.append("accuracy")
    values = {seed: context.arm("net", seed, lambda: train(seed))["accuracy"] for seed in context.seeds}
    return Evidence("accuracy of 0.64", [Measurement.over_seeds("accuracy", values)])

def train(seed):
    CALLS.append(seed)
    return {"accuracy": 0.63 + 0.01 * seed}

def shown(context):
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label="<b>&")
    axes.legend()
    samples = np.sin(np.arange(800) / 8)
    measured = [Measurement.exact("error <i>", 1e-7, "nats"), Measurement.over_examples("e", [1.0, 2.0, 4.0])]
    return Evidence("", measured, [
        Plot("A line", figure, "<em>caption"), Plot("A cloud", figure, clouds=True),
        ImageGrid("Pictures", np.linspace(0, 1, 32).reshape(2, 4, 4), ["<one>", "two"], upscale=3),
        Sound("A tone", samples, 8000), Table("Numbers", ("a", "b"), [("<x>", 0.123456)]), Note("<script>note")])

def broken(context):
    raise ValueError("shapes [3] and <script>x</script>\\ndo not match")

def stopped(context):
    raise KeyboardInterrupt

def trained(context):
    CALLS.append("trained")
    return Evidence("below", [Measurement.over_seeds("loss", {seed: 2.0 for seed in context.seeds})])
"""


def claim(number: int, rule, function: str = "", tier="quick", **more) -> Claim:
    measure = f"toy_ledger_package.claims:{function}" if function else ""
    values = {"place": "§2", "statement": f"statement {number} | of <all>", "paper": "0.63", **more}
    return Claim(id=f"C{number}", rule=rule, tier=tier, measure=measure, **values)


CLAIMS = (
    claim(1, Below("accuracy", 0.75), "accuracy"),
    claim(2, Below("error <i>", 1e-5), "shown"),
    claim(3, Above("loss", 3.0), "trained", "retrain"),
    claim(4, PaperScale("torchrun train --preset paper")),
    claim(5, NotTestable("private data")),
)


@dataclass
class ToyPaper:
    folder: Path
    ledger: Sequence[Claim] = CLAIMS
    name: str = "toy-ledger"
    title: str = "A <Toy> & its Ledger"
    framework: str = "torch"

    def claims(self) -> Sequence[Claim]:
        return self.ledger

    def package_folder(self) -> Path:
        return self.folder / "toy_ledger_package"

    def results_folder(self) -> Path | None:
        return self.folder / "results"

    @property
    def calls(self) -> list:
        return sys.modules["toy_ledger_package.claims"].CALLS


def make(folder: Path, monkeypatch) -> ToyPaper:
    """Write the package into `folder` and put it on the path."""
    paper = ToyPaper(folder)
    paper.package_folder().mkdir()
    (paper.package_folder() / "__init__.py").write_text("")
    (paper.package_folder() / "claims.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(folder))
    for module in [name for name in sys.modules if name.startswith("toy_ledger_package")]:
        monkeypatch.delitem(sys.modules, module)
    return paper


def record(paper: ToyPaper, claim: Claim) -> Path:
    """Measure a claim and write its result."""
    evidence, decision = claim.run(ClaimContext())
    result = Result.of(
        claim,
        evidence,
        decision,
        cost=Cost(1.5, 300 * 2**20),
        code_hash=claim_fingerprint(claim, paper.package_folder()),
        package_folder=paper.package_folder(),
    )
    return write_result(paper.results_folder(), result)
