"""What `presets NAME` prints for every preset of every paper can be pasted: it gives the preset's configuration."""

import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from render_results import papers

from onepaper.cli.common_verbs import words_of
from onepaper.cli.parsing import parse
from onepaper.paper import Paper

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("paper", papers(ROOT), ids=lambda paper: paper.name)
def test_the_words_of_every_preset_give_its_configuration(paper: Paper) -> None:
    for name, preset in paper.presets.items():
        verb = next(verb for verb in paper.verbs if verb.accepts(preset.config))
        words = [word for line in words_of(preset.config) for word in shlex.split(line)]
        call = parse(paper, verb, ["--preset", name, *words])
        assert call is not None
        assert call.config == preset.config, name
