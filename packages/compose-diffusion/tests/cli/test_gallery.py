import re
from dataclasses import replace

import pytest
import torch
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from compose_diffusion.cli import gallery
from compose_diffusion.cli.gallery import EXAMPLES, chosen_examples, command_of, gallery_verb
from compose_diffusion.cli.options import GalleryOptions, SampleOptions
from compose_diffusion.cli.sample import requested
from compose_diffusion.paper import PAPER


def call(options):
    return gallery_verb(Invocation(PAPER, PAPER.verb("gallery"), None, options))


def test_page_needs_no_other_file(tmp_path, capsys, monkeypatch):
    few = [
        replace(example, options=replace(example.options, num_levels=4, count=3, steps_per_level=1))
        for example in EXAMPLES
    ]
    monkeypatch.setattr(gallery, "EXAMPLES", tuple(few))
    assert call(GalleryOptions(output=tmp_path / "run", device="cpu")) == 0
    page = (tmp_path / "run" / "index.html").read_text()
    assert f"{len(few)} examples" in capsys.readouterr().out
    assert page.count("<section>") == len(few)
    assert page.count("data:image/png;base64,") == 2 * len(few)
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "&#39;digits[3] &amp; ~digits[5]&#39;" in page
    assert "prefers-color-scheme: dark" in page
    assert len(list((tmp_path / "run").glob("*.png"))) == 2 * len(few)


def test_examples_are_unique_and_can_be_asked_for():
    assert len({example.name for example in EXAMPLES}) == len(EXAMPLES)
    for example in EXAMPLES:
        assert requested(example.options, torch.device("cpu")).expression.leaves()
    assert [example.name for example in chosen_examples(("toy-or", "digits-and"))] == ["toy-or", "digits-and"]
    with pytest.raises(UsageError, match="unknown example 'toy-nor': did you mean 'toy-or'"):
        chosen_examples(("toy-nor",))


def test_command_is_what_one_would_type():
    options = SampleOptions(expression="a & b", sampler="hmc", count=3, steps_per_level=2, ancestral=False)
    expected = "onepaper compose-diffusion sample 'a & b' --sampler hmc --no-ancestral --steps-per-level 2 --count 3"
    assert command_of(options, 5) == f"{expected} --seed 5"
    assert "--all-of 3 8 " in command_of(SampleOptions(all_of=(3, 8)), 0)


def test_dry_run_writes_nothing(tmp_path, capsys):
    assert call(GalleryOptions(output=tmp_path / "run", dry_run=True)) == 0
    assert "would draw toy-and" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
