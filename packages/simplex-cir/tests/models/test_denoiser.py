from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.data import file_sha256, read_sums
from onepaper.errors import UsageError

from simplex_cir.config import SHIPPED, LearnedConfig, ModelConfig
from simplex_cir.diffusion.posterior import log_posterior
from simplex_cir.models.denoiser import LONGEST_ROTARY_WAVE, WEIGHTS, SimplexDenoiser, apply_rotary
from simplex_cir.presets import PRESETS

SMALL = ModelConfig("ABC", positions=4, width=16, depth=2, heads=2)


@jax.jit
def apply(model: SimplexDenoiser, *inputs: jax.Array | float | None) -> jax.Array:
    return model(*inputs)


def vectors(config: ModelConfig, batch: int = 3) -> jax.Array:
    return jax.random.gamma(jax.random.key(0), 1.5, (batch, config.positions, config.num_categories))


def randomised(config: ModelConfig) -> SimplexDenoiser:
    """With every parameter drawn, so that gates and heads that start at 0 do something."""
    model = SimplexDenoiser(config, nnx.Rngs(0))
    state = nnx.state(model, nnx.Param)
    leaves, tree = jax.tree.flatten(state)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    drawn = [0.2 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    nnx.update(model, jax.tree.unflatten(tree, drawn))
    return model


def test_starts_as_the_posterior_of_a_uniform_prior() -> None:
    model = SimplexDenoiser(SMALL, nnx.Rngs(0))
    v = vectors(SMALL)
    np.testing.assert_allclose(apply(model, v, 2.0), log_posterior(jnp.zeros(3), v, 2.0), atol=1e-5)


def test_probabilities_sum_to_one_and_depend_on_everything() -> None:
    model = randomised(SMALL)
    v = vectors(SMALL)
    got = apply(model, v, 2.0)
    np.testing.assert_allclose(jnp.exp(got).sum(axis=-1), 1, atol=1e-5)
    assert not np.allclose(got, apply(model, v, 4.0))
    changed = v.at[:, 0, 0].add(3.0)
    assert not np.allclose(got[:, 3], apply(model, changed, 2.0)[:, 3])  # context reaches other positions


def test_an_snr_for_each_sequence() -> None:
    model, v = randomised(SMALL), vectors(SMALL, 2)
    both = apply(model, v, jnp.array([0.5, 8.0]))
    np.testing.assert_allclose(both[0], apply(model, v[:1], 0.5)[0], atol=1e-5)
    np.testing.assert_allclose(both[1], apply(model, v[1:], 8.0)[0], atol=1e-5)


def test_grid_positions_are_sums_of_row_column_and_box() -> None:
    config = ModelConfig("1234", positions=16, width=16, depth=1, heads=2, layout="grid")
    embeddings = np.asarray(randomised(config)._position_embeddings())
    tables = [np.asarray(table.embedding[...]) for table in randomised(config).places]
    for cell in range(16):
        row, column = divmod(cell, 4)
        np.testing.assert_allclose(
            embeddings[cell], tables[0][row] + tables[1][column] + tables[2][2 * (row // 2) + column // 2], atol=1e-6
        )


def test_rotary_positions_are_rotations_of_complex_numbers() -> None:
    x = np.asarray(jax.random.normal(jax.random.key(0), (2, 5, 3, 6)))
    frequencies = np.array([1.0, (2 * np.pi / LONGEST_ROTARY_WAVE) ** 0.5, 2 * np.pi / LONGEST_ROTARY_WAVE])
    rotated = (x[..., :3] + 1j * x[..., 3:]) * np.exp(1j * np.arange(5)[:, None, None] * frequencies)
    np.testing.assert_allclose(
        apply_rotary(jnp.asarray(x)), np.concatenate([rotated.real, rotated.imag], axis=-1), rtol=1e-5, atol=1e-6
    )


def test_rotary_products_depend_on_the_distance() -> None:
    q, k = (jnp.tile(jax.random.normal(jax.random.key(i), (1, 1, 2, 8)), (1, 6, 1, 1)) for i in range(2))
    products = np.asarray(jnp.einsum("bihd,bjhd->bhij", apply_rotary(q), apply_rotary(k)))
    for distance in range(-5, 6):
        diagonal = np.diagonal(products, distance, axis1=2, axis2=3)
        np.testing.assert_allclose(diagonal, np.broadcast_to(diagonal[..., :1], diagonal.shape), rtol=1e-4, atol=1e-4)
    assert np.ptp(products[0, 0, 0]) > 0.5


def test_a_rotary_network_uses_its_positions() -> None:
    model = randomised(replace(SMALL, rotary=True))
    plain, v = randomised(SMALL), vectors(SMALL)
    assert not np.allclose(apply(model, v, 2.0), apply(plain, v, 2.0), atol=1e-3)


def test_classes_and_self_conditioning() -> None:
    config = ModelConfig("ABC", positions=4, width=16, depth=1, heads=2, num_classes=2, self_conditioning=True)
    model, v = randomised(config), vectors(config)
    plain = apply(model, v, 1.0)
    np.testing.assert_allclose(plain, apply(model, v, 1.0, jnp.full(3, model.null_label)), atol=1e-6)
    assert not np.allclose(plain, apply(model, v, 1.0, jnp.zeros(3, int)))
    assert not np.allclose(plain, apply(model, v, 1.0, None, jnp.eye(3)[jnp.zeros((3, 4), int)]))


def test_saved_and_read_back(tmp_path) -> None:
    model, v = randomised(SMALL), vectors(SMALL)
    again = SimplexDenoiser.from_pretrained(model.save_pretrained(tmp_path / "model"))
    np.testing.assert_array_equal(apply(model, v, 1.0), apply(again, v, 1.0))
    assert again.config == SMALL


def test_half_precision_is_for_the_file_only(tmp_path) -> None:
    model, v = randomised(replace(SMALL, stored="float16")), vectors(SMALL)
    folder = model.save_pretrained(tmp_path / "model")
    again = SimplexDenoiser.from_pretrained(folder)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(nnx.state(again, nnx.Param)))
    np.testing.assert_allclose(apply(model, v, 1.0), apply(again, v, 1.0), atol=0.02)
    assert (folder / "model.safetensors").stat().st_size < 0.7 * sum(
        4 * leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_fit_their_preset_and_their_checksums(name: str) -> None:
    folder = WEIGHTS / name
    assert read_sums(folder) == {file: file_sha256(folder / file) for file in ("config.json", "model.safetensors")}
    assert SimplexDenoiser.from_pretrained(name).config == PRESETS[f"laptop-{name}"].config.model


def test_no_such_model(tmp_path) -> None:
    with pytest.raises(UsageError, match="did you mean 'splice'.*give a name or a folder"):
        SimplexDenoiser.from_pretrained("splce")


def test_without_evidence_inputs_are_vectors_and_snr() -> None:
    model, v = randomised(replace(SMALL, evidence=False)), vectors(SMALL)
    got = apply(model, v, 2.0)
    assert not np.allclose(got, apply(model, v, 4.0))
    assert not np.allclose(got, apply(model, v.at[0, 0, 0].add(2.0), 2.0))


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if isinstance(preset.config, LearnedConfig)])
def test_parameter_counts_of_presets(name: str) -> None:
    config = PRESETS[name].config.model
    model = nnx.eval_shape(lambda: SimplexDenoiser(config, nnx.Rngs(0)))
    count = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    width, n = config.width, config.num_categories
    modulation = 6 * width * width + 6 * width if config.is_conditional else 6 * width
    block = modulation + 3 * width**2 + (width**2 + width) + 8 * width**2 + 5 * width
    side = round(config.positions**0.5)
    places = config.positions if config.layout == "line" else 3 * side
    labels = config.num_classes + 1 if config.num_classes else 0
    expected = config.depth * block + (n + 1) * width + (places + labels) * width
    assert count == expected + 2 * width + (width + 1) * n
