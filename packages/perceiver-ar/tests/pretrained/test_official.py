import os
import pickle
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from official_files import (
    CONFIGS,
    ROTARY,
    SINUSOIDS,
    WRAPPERS,
    M,
    V,
    WrittenAs,
    drawn_params,
    dumped,
    official_forward,
    written,
)
from onepaper.errors import OnePaperError, UsageError

from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.pretrained.official import convert_official, read_official


@pytest.mark.parametrize("name", CONFIGS)
def test_converted_weights_compute_what_the_official_code_does(name: str, tmp_path: Path) -> None:
    config = CONFIGS[name]
    params = drawn_params(config)
    model = convert_official(read_official(written(tmp_path, config, "dill")), config)
    generator = np.random.default_rng(1)
    tokens = generator.integers(3, V, (2, M))
    axes = len(config.axis_sizes)
    at = (
        generator.integers(0, 4, (2, M, axes)) if name == "images" else np.tile(np.arange(1, M + 1)[:, None], (2, 1, 1))
    )
    got = nnx.jit(PerceiverAR.__call__)(
        model, jnp.asarray(tokens), None, jnp.asarray(at) if config.uses_absolute_positions else None
    )
    for row in range(2):
        wanted = official_forward(params, config, tokens[row].tolist(), at[row])
        np.testing.assert_allclose(got[row], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("how", [*WRAPPERS, "npz"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_every_way_of_writing_gives_the_same_arrays(how: str, protocol: int, tmp_path: Path) -> None:
    found, wanted = read_official(written(tmp_path, ROTARY, how, protocol)), drawn_params(ROTARY)
    assert found.keys() == wanted.keys()
    for module, arrays in wanted.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[module][name], array)


class Harmful:
    """What a wicked checkpoint would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_code_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.dill"
    path.write_bytes(pickle.dumps({"params": Harmful(tmp_path / "made")}))
    with pytest.raises(UsageError, match=r"refers to '(posix|nt)\.mkdir', expected only arrays"):
        read_official(path)
    assert not (tmp_path / "made").exists()
    path.write_bytes(dumped({"params": WrittenAs("dill._dill", "_create_array", len, ("x",), 0, None)}, 4))
    with pytest.raises(UsageError, match=r"refers to 'builtins\.len'"):
        read_official(path)
    inside = np.array([Harmful(tmp_path / "made")], object)
    path.write_bytes(pickle.dumps({"params": inside}))
    with pytest.raises(OnePaperError, match="an array of type O8, expected numbers"):
        read_official(path)
    np.savez(tmp_path / "objects.npz", **{"a/w": inside})
    with pytest.raises(OnePaperError, match="is damaged or no file of arrays"):
        read_official(tmp_path / "objects.npz")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 3}, "'perceiver_ar/~/self_attention_2/attention/linear/b' is missing"),
        ({"depth": 1}, "'perceiver_ar/~/self_attention_1/attention/linear/b' is unexpected"),
        ({"vocab_size": 12}, r"'perceiver_ar/~/embed/embeddings' has shape \(9, 12\), expected \(12, 12\)"),
        ({"positions": "absolute"}, "'perceiver_ar/~/embed_1/embeddings' is missing"),
        ({"positions": "both"}, "nor positions of both kinds"),
    ],
)
def test_weights_of_another_model_raise_errors(changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convert_official(drawn_params(ROTARY), replace(ROTARY, **changes))


def test_fixed_tables_are_compared() -> None:
    params = drawn_params(SINUSOIDS)
    params["perceiver_ar/~/embed_1"]["embeddings"][3, 2] += 0.1
    with pytest.raises(UsageError, match="embed_1/embeddings' differs from the table of position_tables"):
        convert_official(params, SINUSOIDS)
    with pytest.raises(UsageError, match=r"has shape \(11, 12\), expected \(13, 12\)"):
        convert_official(drawn_params(SINUSOIDS), replace(SINUSOIDS, context_length=12))


def test_files_that_are_no_checkpoints_raise_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist; give a .dill or .npz file"):
        read_official(tmp_path / "checkpoint.dill")
    for name in ("text.dill", "text.npz"):
        (tmp_path / name).write_text("no weights")
        with pytest.raises(OnePaperError, match="is damaged or no file of arrays"):
            read_official(tmp_path / name)
    (tmp_path / "numbers.dill").write_bytes(pickle.dumps({"params": {"a": {"w": "text"}}}))
    with pytest.raises(UsageError, match="'a/w' is str, expected an array"):
        read_official(tmp_path / "numbers.dill")
    (tmp_path / "list.dill").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(UsageError, match="has no parameters by module"):
        read_official(tmp_path / "list.dill")
