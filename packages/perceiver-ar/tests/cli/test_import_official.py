import re
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from official_files import ROTARY, M, V, drawn_params, written
from onepaper.errors import UsageError
from onepaper.paper import Invocation, Paper, Verb

from perceiver_ar.cli.import_official import import_verb
from perceiver_ar.cli.options import ImportOptions
from perceiver_ar.config import RESERVED, DataConfig, ExperimentConfig
from perceiver_ar.data.text import WordText
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.pretrained.checkpoints import open_network
from perceiver_ar.pretrained.official import convert_official


def test_the_verb_writes_a_model_that_opens(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = written(tmp_path, ROTARY, "JAX of 2022")
    verb = Verb("import", "", "", ImportOptions)
    paper = Paper("perceiver-ar", "perceiver_ar", "", "", "", 2022, "", "jax", {}, (verb,), "")
    options = ImportOptions(checkpoint=path, output=tmp_path / "run")
    import_verb(Invocation(paper, verb, ExperimentConfig(model=ROTARY), replace(options, dry_run=True)))
    assert not (tmp_path / "run").exists()
    import_verb(Invocation(paper, verb, ExperimentConfig(model=ROTARY), options))
    assert "parameters: " in capsys.readouterr().out.splitlines()[-1]
    model = open_network(str(tmp_path / "run" / "pretrained")).model
    wanted = convert_official(drawn_params(ROTARY), ROTARY)
    tokens = jnp.full((1, M), 5)
    apply = nnx.jit(PerceiverAR.__call__)
    np.testing.assert_array_equal(apply(model, tokens), apply(wanted, tokens))


def test_text_and_codes_keep_what_their_tokens_mean(tmp_path: Path) -> None:
    path = written(tmp_path, ROTARY, "JAX of 2022")
    verb = Verb("import", "", "", ImportOptions)
    paper = Paper("perceiver-ar", "perceiver_ar", "", "", "", 2022, "", "jax", {}, (verb,), "")
    words = ["<unk>", *(f"w{number}" for number in range(V - RESERVED - 1))]
    (tmp_path / "words.txt").write_text("\n".join(words))
    spelled = ExperimentConfig(DataConfig("novels", tokens="words"), ROTARY)
    options = ImportOptions(checkpoint=path, output=tmp_path / "run")
    with pytest.raises(UsageError, match="text in words needs the vocabulary of the training; give it with --vocab"):
        import_verb(Invocation(paper, verb, spelled, options))
    with pytest.raises(UsageError, match=r"none cannot be read as words.txt"):
        import_verb(Invocation(paper, verb, spelled, replace(options, vocabulary=tmp_path / "none")))
    for content, problem in (
        (b"<unk>\n\xff", "wrong is not UTF-8 text (byte 6)"),
        (b"a\nb", "wrong: a vocabulary begins"),
    ):
        (tmp_path / "wrong").write_bytes(content)
        with pytest.raises(UsageError, match=re.escape(problem)):
            import_verb(Invocation(paper, verb, spelled, replace(options, vocabulary=tmp_path / "wrong")))
    import_verb(Invocation(paper, verb, spelled, replace(options, vocabulary=tmp_path / "words.txt")))
    codec = open_network(str(tmp_path / "run" / "pretrained")).codec
    assert isinstance(codec, WordText)
    assert codec.words == words
    codes = ExperimentConfig(DataConfig("codes", tmp_path, codebook_size=(V - RESERVED) // 2), ROTARY)
    import_verb(Invocation(paper, verb, codes, replace(options, output=tmp_path / "codes")))
    assert open_network(str(tmp_path / "codes" / "pretrained")).codec.codebooks == 2
