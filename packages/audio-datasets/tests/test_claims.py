"""Recorded verdicts follow the present rules, the pages show what is recorded, and commands of claims work."""

import shlex
from pathlib import Path

import pytest
from onepaper.claims import PaperScale
from onepaper.testing import check_ledger, run_verb

from audio_datasets.claims import CLAIMS
from audio_datasets.paper import PAPER

COMMANDS = {claim.id: claim.rule.command for claim in CLAIMS if isinstance(claim.rule, PaperScale)}
# Settings that make a command small, and the copy that it runs on.
SMALL = {
    "train": ("--model.hidden", "8", "--model.layers", "1", "--loop.steps", "1", "--loop.checkpoint-every", "0"),
    "evaluate": ("--resamples", "20"),
    "data": (),
}


def test_rules_and_pages_agree_with_the_results() -> None:
    check_ledger(PAPER)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", COMMANDS)
def test_commands_at_the_size_of_the_paper_work_on_a_copy(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "compare" in COMMANDS[name] or "egemaps" in COMMANDS[name]:
        pytest.importorskip("opensmile")
    copy = {"C1": "prosody", "C6": "prosody", "C3": "bursts", "C7": "bursts", "C8": "exvo", "C10": "exvo"}
    fixture = copy.get(name, "sonata")
    words = [
        str(request.getfixturevalue({"FOLDER": fixture, "ENCODER": "encoder"}[word])) if word.isupper() else word
        for word in shlex.split(COMMANDS[name])[1:]
    ]
    monkeypatch.chdir(tmp_path)
    assert run_verb(*words, *SMALL[words[1]]) == 0
