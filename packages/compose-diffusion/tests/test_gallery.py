import re
from dataclasses import replace

import pytest
import torch
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from compose_diffusion import gallery
from compose_diffusion.config import GalleryOptions, SampleOptions
from compose_diffusion.gallery import EXHIBITS, chosen_exhibits, command_of, gallery_verb
from compose_diffusion.paper import PAPER
from compose_diffusion.sampling import requested


def call(options):
    return gallery_verb(Invocation(PAPER, PAPER.verb("gallery"), None, options))


def test_page_needs_no_other_file(tmp_path, capsys, monkeypatch):
    few = [
        replace(exhibit, options=replace(exhibit.options, num_levels=4, count=3, steps_per_level=1))
        for exhibit in EXHIBITS
    ]
    monkeypatch.setattr(gallery, "EXHIBITS", tuple(few))
    assert call(GalleryOptions(output=tmp_path / "run", device="cpu")) == 0
    page = (tmp_path / "run" / "index.html").read_text()
    assert f"{len(few)} exhibits" in capsys.readouterr().out
    assert page.count("<section>") == len(few)
    assert page.count("data:image/png;base64,") == 2 * len(few)
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "&#x27;digits[3] &amp; ~digits[5]&#x27;" in page
    assert len(list((tmp_path / "run").glob("*.png"))) == 2 * len(few)


def test_exhibits_are_unique_and_can_be_asked_for():
    assert len({exhibit.name for exhibit in EXHIBITS}) == len(EXHIBITS)
    for exhibit in EXHIBITS:
        assert requested(exhibit.options, torch.device("cpu")).expression.leaves()
    assert [exhibit.name for exhibit in chosen_exhibits(("toy-or", "digits-and"))] == ["toy-or", "digits-and"]
    with pytest.raises(UsageError, match="unknown exhibit 'toy-nor': did you mean 'toy-or'"):
        chosen_exhibits(("toy-nor",))


def test_command_is_what_one_would_type():
    options = SampleOptions(expression="a & b", sampler="hmc", count=3, steps_per_level=2, ancestral=False)
    expected = "onepaper compose-diffusion sample 'a & b' --sampler hmc --no-ancestral --steps-per-level 2 --count 3"
    assert command_of(options, 5) == f"{expected} --seed 5"
    assert "--all-of 3 8 " in command_of(SampleOptions(all_of=(3, 8)), 0)


def test_dry_run_writes_nothing(tmp_path, capsys):
    assert call(GalleryOptions(output=tmp_path / "run", dry_run=True)) == 0
    assert "would draw toy-and" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
