"""Language models on disk, and what is refused."""

import json
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import OnePaperError, UsageError
from onepaper.testing.mutations import fuzz

from slowae_rlt.pretrained.language_models import LanguageModel, open_language_model, save_language_model


def test_round_trip(language_model: LanguageModel, language_weights: Path) -> None:
    again = open_language_model(language_weights)
    assert again.codec_name == "identity"
    assert again.codec.digest() == language_model.codec.digest()
    events = jnp.array([[1, 2, 3, 4, 1]]), jnp.array([[9, 1, 20, 256, 3]])
    np.testing.assert_array_equal(again.model.nats(*events).values, language_model.model.nats(*events).values)


def test_refused(language_model: LanguageModel, language_weights: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(language_weights, tmp_path / "other")
    (folder / "codec.json").write_text(json.dumps({"codec": "identity", "digest": "12" * 8}))
    with pytest.raises(OnePaperError, match="codec.json is damaged"):
        open_language_model(folder)
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(UsageError, match="train it on this codec"):
        open_language_model(folder)
    (folder / "codec.json").write_text("[]")
    with pytest.raises(UsageError, match="has no codec and digest"):
        open_language_model(folder)
    (folder / "codec.json").unlink()
    with pytest.raises(UsageError, match="give the complete folder"):
        open_language_model(folder)
    model = nnx.clone(language_model.model)
    model.norm.scale[...] = model.norm.scale[...] * jnp.nan
    save_language_model(folder, language_model._replace(model=model))
    with pytest.raises(UsageError, match="norm/scale is not finite"):
        open_language_model(folder)


@pytest.mark.parametrize("count", [60, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(count: int, language_weights: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(language_weights, tmp_path / "copy")
    for name in ("codec.json", "config.json"):
        valid = (folder / name).read_bytes()
        fuzz(lambda path: open_language_model(path.parent), folder / name, [valid], count)
        (folder / name).write_bytes(valid)
