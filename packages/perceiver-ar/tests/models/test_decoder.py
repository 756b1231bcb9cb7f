import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.jax.state_files import model_arrays

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.counts import parameter_count
from perceiver_ar.models.decoder import plain_decoder
from perceiver_ar.models.perceiver_ar import PerceiverAR

SMALL = ModelConfig(
    vocab_size=11, context_length=12, num_latents=4, depth=2, width=16, heads=2, positions="absolute", chunk=5
)


def textbook(arrays: dict[str, np.ndarray], config: ModelConfig, tokens: np.ndarray) -> np.ndarray:
    """Logits of an ordinary pre-norm decoder with sinusoids, all positions at once, in double precision."""

    def norm(x: np.ndarray, of: dict, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * of[f"{name}/scale"] + of[f"{name}/bias"]

    def linear(x: np.ndarray, of: dict, name: str) -> np.ndarray:
        return x @ of[f"{name}/kernel"] + of[f"{name}/bias"]

    width, length = config.width, len(tokens)
    rates = np.exp(-np.arange(width // 2) * math.log(1e4) / (width / 2 - 1))
    angles = np.arange(1, length + 1)[:, None] * rates
    x = arrays["embed/embedding"][tokens] + np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    future = np.triu(np.ones((length, length), bool), 1)
    layers = [{name.removeprefix("cross/"): array for name, array in arrays.items() if name.startswith("cross/")}]
    for number in range(config.depth):
        stack = {name.removeprefix("blocks/"): array for name, array in arrays.items() if name.startswith("blocks/")}
        layers.append({name: array[number] for name, array in stack.items()})
    for of in layers:
        y = norm(x, of, "norm_query")
        q, k, v = (np.split(linear(y, of, name), config.heads, axis=1) for name in ("query", "key", "value"))
        heads = []
        for query, key, value in zip(q, k, v, strict=True):
            scores = np.where(future, -np.inf, query @ key.T / math.sqrt(query.shape[1]))
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            heads.append(weights / weights.sum(axis=1, keepdims=True) @ value)
        x = x + linear(np.concatenate(heads, axis=1), of, "out")
        x = x + linear(np.maximum(linear(norm(x, of, "norm_hidden"), of, "hidden"), 0) ** 2, of, "down")
    return linear(norm(x, arrays, "norm"), arrays, "head")


@pytest.mark.parametrize("layers", [None, 1])
def test_is_a_textbook_decoder(layers: int | None, stirred) -> None:
    config = plain_decoder(SMALL, layers=layers)
    model: PerceiverAR = stirred(config)
    # The two differ in: a map before the first layer, and that layer's second norm.
    model.latent_in.kernel[...], model.latent_in.bias[...] = jnp.eye(16), jnp.zeros(16)
    model.cross.norm_inputs.scale[...] = model.cross.norm_query.scale[...]
    model.cross.norm_inputs.bias[...] = model.cross.norm_query.bias[...]
    tokens = np.random.default_rng(0).integers(3, 11, (2, 12))
    arrays = {name: np.asarray(array, np.float64) for name, array in model_arrays(model).items()}
    got = model(jnp.asarray(tokens))
    assert got.shape == (2, 12, 11)
    for row in range(2):
        np.testing.assert_allclose(got[row], textbook(arrays, config, tokens[row]), rtol=1e-3, atol=1e-3)


def test_has_the_parameters_of_its_perceiver() -> None:
    assert parameter_count(plain_decoder(SMALL)) == parameter_count(SMALL)
    block = 4 * (16 * 16 + 16) + 2 * 4 * 16 * 16 + 5 * 16 + 4 * 16
    assert parameter_count(plain_decoder(SMALL, layers=5)) == parameter_count(SMALL) + 2 * block


def test_reads_and_predicts_as_much_as_it_is_asked_to() -> None:
    config = plain_decoder(replace(SMALL, positions="rotary", rotary_fraction=1.0, max_wavelength=12.0), context=40)
    assert config.context_length == config.num_latents == 40
    assert config.wavelength == 40


def test_what_no_decoder_is_raise_errors() -> None:
    with pytest.raises(UsageError, match="input_width is 32, expected the width, 16"):
        plain_decoder(replace(SMALL, input_width=32))
    with pytest.raises(UsageError, match="layers is 0, expected at least 1"):
        plain_decoder(SMALL, layers=0)
