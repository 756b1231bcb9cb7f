import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from flax import nnx
from onepaper.accelerator import AcceleratorOptions
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.losses import sequence_loss
from perceiver_ar.models.perceiver_ar import PerceiverAR, kept_inputs
from perceiver_ar.presets import PRESETS

SMALL = ModelConfig(
    vocab_size=11, context_length=12, num_latents=4, depth=2, width=16, heads=2, rotary_fraction=0.5, chunk=5
)
ABSOLUTE = replace(SMALL, positions="absolute")
ADAPTIVE = replace(SMALL, adaptive_cutoffs=(5, 8), adaptive_factor=2)


@nnx.jit(static_argnames="num_latents")
def apply(model, tokens, lengths=None, coordinates=None, num_latents=None, key=None):
    return model(tokens, lengths, coordinates, num_latents=num_latents, key=key)


def drawn_tokens(batch: int = 2, length: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(3, 11, (batch, length))


VARIANTS = {
    "rotary": SMALL,
    "all channels, terminal": replace(SMALL, rotary_fraction=1.0, numbering="terminal"),
    "absolute": ABSOLUTE,
    "both": replace(SMALL, positions="both"),
    "learned": replace(ABSOLUTE, position_tables="learned"),
    "fourier": replace(ABSOLUTE, position_tables="fourier"),
    "some heads turn": replace(SMALL, heads=4, cross_heads=2, rotary_heads=0.6),
    "own widths": replace(SMALL, input_width=24, cross_heads=3, heads=4, mlp_ratio=2),
    "as many latents as inputs": replace(SMALL, num_latents=12),
    "one latent": replace(SMALL, num_latents=1),
    "no stack": replace(SMALL, depth=0),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_equals_the_reference(name: str, stirred) -> None:
    config = VARIANTS[name]
    model, tokens = stirred(config), drawn_tokens()
    got = apply(model, jnp.asarray(tokens))
    for row in range(len(tokens)):
        np.testing.assert_allclose(
            got[row], reference.forward(model, tokens[row], config.num_latents), rtol=1e-3, atol=1e-3
        )


def test_an_adaptive_vocabulary_gives_the_probabilities_of_the_reference(stirred) -> None:
    model, tokens = stirred(ADAPTIVE), drawn_tokens()
    got = jax.nn.log_softmax(apply(model, jnp.asarray(tokens)), axis=-1)
    for row in range(len(tokens)):
        np.testing.assert_allclose(got[row], reference.forward(model, tokens[row], 4), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("config", [SMALL, ABSOLUTE, replace(SMALL, numbering="terminal")])
def test_ragged_batches_equal_each_example_alone(config: ModelConfig, stirred) -> None:
    model, tokens, lengths = stirred(config), drawn_tokens(4), [12, 7, 4, 2]
    for row, length in enumerate(lengths):
        tokens[row, length:] = 0
    got = apply(model, jnp.asarray(tokens), jnp.array(lengths))
    for row, length in enumerate(lengths):
        wanted = reference.forward(model, tokens[row, :length], 4)
        np.testing.assert_allclose(got[row, 4 - len(wanted) :], wanted, rtol=1e-3, atol=1e-3)
    assert np.isfinite(got).all()


@pytest.mark.parametrize("tables", ["learned", "fourier"])
def test_axes_of_an_image(tables: str, stirred) -> None:
    config = replace(ABSOLUTE, position_tables=tables, axes=(5, 6, 4))
    model, tokens = stirred(config), drawn_tokens(1)
    coordinates = np.random.default_rng(3).integers(0, 4, (1, 12, 3))
    got = apply(model, jnp.asarray(tokens), None, jnp.asarray(coordinates))
    np.testing.assert_allclose(got[0], reference.forward(model, tokens[0], 4, coordinates[0]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("lengths", [None, [12, 9]])
def test_nothing_is_learnt_from_the_future(precision: str, lengths: list[int] | None, stirred) -> None:
    model = stirred(replace(SMALL, chunk=4))
    Accelerator(AcceleratorOptions(precision=precision)).apply_precision(model)
    tokens = drawn_tokens()
    sizes = None if lengths is None else jnp.array(lengths)
    before = np.asarray(apply(model, jnp.asarray(tokens), sizes))
    for row, length in enumerate(lengths or [12, 12]):
        for place in range(length):
            changed = tokens.copy()
            changed[row, place] = 3 + (changed[row, place] - 2) % 8
            after = np.asarray(apply(model, jnp.asarray(changed), sizes))[row]
            for latent in range(4):
                if length - 4 + latent < place:
                    np.testing.assert_array_equal(after[latent], before[row, latent])
                elif length - 4 + latent == place:
                    assert (after[latent] != before[row, latent]).any()


def attended(model: PerceiverAR, tokens: np.ndarray, seeds: int, lengths=None) -> np.ndarray:
    """[seeds, B, N, T]: whether the logits of each latent change with each input, for several seeds of dropout."""
    length = tokens.shape[1]
    variants = np.repeat(tokens[None], length + 1, axis=0)  # the last one is unchanged
    for index in range(length):
        variants[index, :, index] = 3 + (variants[index, :, index] - 2) % 8

    def changes(key: jax.Array) -> jax.Array:
        logits = jax.vmap(lambda changed: model(changed, lengths, key=key))(jnp.asarray(variants))
        return (logits[:-1] != logits[-1]).any(axis=-1)  # [T, B, N]

    found = jax.jit(jax.vmap(changes))(jax.vmap(jax.random.key)(jnp.arange(seeds)))
    return np.moveaxis(np.asarray(found), 1, -1)


def test_gradients_are_causal(stirred) -> None:
    model, tokens = stirred(replace(SMALL, depth=1)), drawn_tokens(1)

    def logits(probe: jax.Array) -> jax.Array:
        # Ids are indices of the inputs, so that each has an embedding of its own.
        copy = nnx.merge(*nnx.split(model))
        embed, words = copy.embed, jnp.asarray(tokens[0])
        copy.embed = lambda ids: embed(words[ids]) + probe[ids]
        return copy(jnp.arange(len(words))[None])[0] @ jnp.arange(1.0, model.config.vocab_size + 1)

    got = np.abs(np.asarray(jax.jit(jax.jacrev(logits))(jnp.zeros((12, model.config.input_dim))))).max(axis=-1)
    for latent in range(4):
        assert (got[latent, : 9 + latent] > 0).all()
        assert (got[latent, 9 + latent :] == 0).all()


@pytest.mark.parametrize(
    ("kind", "lengths"),
    [
        ("exact", None),
        ("exact", [12, 9]),
        ("bernoulli", None),
        ("fixed", [12, 9]),
        pytest.param("bernoulli", [12, 9], marks=pytest.mark.slow),
        pytest.param("fixed", None, marks=pytest.mark.slow),
    ],
)
def test_prefix_dropout_hides_inputs_but_never_ones_own(kind: str, lengths: list[int] | None, stirred) -> None:
    rate = 0.5
    model = stirred(replace(SMALL, depth=0, prefix_dropout=rate, prefix_dropout_kind=kind))
    tokens = drawn_tokens()
    sizes = None if lengths is None else jnp.array(lengths)
    everywhere = np.zeros((2, 12))
    for got in attended(model, tokens, 6, sizes):
        for row, length in enumerate(lengths or [12, 12]):
            prefix = length - 4
            seen = got[row]
            everywhere[row] += seen[-1]
            for latent in range(4):
                assert seen[latent, prefix + latent]  # its own input
                assert not seen[latent, prefix + latent + 1 :].any()  # nothing of the future
                assert (seen[latent, :prefix] == seen[0, :prefix]).all()  # all latents miss the same inputs
            if kind == "exact":
                assert seen[0, :prefix].sum() == prefix - int(rate * prefix)
                assert seen[-1, prefix:length].all()
            if kind == "fixed":
                others = seen[-1].sum()
                assert others in (length - int(rate * length), length - int(rate * length) + 1)
    for row, length in enumerate(lengths or [12, 12]):
        assert (everywhere[row, : length - 4] > 0).sum() >= 4  # not always the same ones


def test_without_a_key_there_is_no_prefix_dropout(stirred) -> None:
    tokens = jnp.asarray(drawn_tokens())
    without = apply(stirred(replace(SMALL, depth=0, prefix_dropout=0.5)), tokens)
    np.testing.assert_array_equal(without, apply(stirred(replace(SMALL, depth=0)), tokens))


def test_dropped_inputs_leave_the_others_untouched(stirred) -> None:
    config = replace(ABSOLUTE, prefix_dropout=0.5, prefix_dropout_kind="exact")
    model, tokens, key = stirred(config), drawn_tokens(1), jax.random.key(0)
    kept = np.flatnonzero(attended(model, tokens, 1)[0, 0, -1])
    shorter = stirred(replace(config, context_length=len(kept)))
    alone = apply(shorter, jnp.asarray(tokens[:, kept]), None, jnp.asarray(kept + 1)[None, :, None])
    np.testing.assert_allclose(apply(model, jnp.asarray(tokens), key=key), alone, rtol=1e-4, atol=1e-4)


def test_kept_inputs_are_a_uniform_draw() -> None:
    counts = np.zeros(10)
    draw = jax.jit(lambda key: kept_inputs(key, jnp.array([10, 5]), 10, 0.7))
    for seed in range(400):
        places, counted = draw(jax.random.key(seed))
        assert counted.sum(axis=1).tolist() == [3, 2]
        assert len(set(places[0].tolist())) == 3
        assert max(places[1, :2].tolist()) < 5
        counts[np.asarray(places[0])] += 1
    assert abs(counts - 120).max() < 4.5 * math.sqrt(400 * 0.3 * 0.7)


def test_prefix_is_a_set(stirred) -> None:
    model, tokens = stirred(ABSOLUTE), drawn_tokens(1)
    order = np.array([5, 2, 7, 0, 1, 6, 3, 4, 8, 9, 10, 11])
    coordinates = np.arange(1, 13)[None, :, None]
    got = apply(model, jnp.asarray(tokens[:, order]), None, jnp.asarray(coordinates[:, order]))
    np.testing.assert_allclose(got, apply(model, jnp.asarray(tokens)), rtol=1e-4, atol=1e-4)


def test_rotary_knows_differences_only(stirred) -> None:
    tokens = jnp.asarray(drawn_tokens())
    data, terminal, negative = (
        apply(stirred(replace(SMALL, numbering=numbering)), tokens)
        for numbering in ("data", "terminal", "negative-terminal")
    )
    np.testing.assert_allclose(data, negative, rtol=1e-3, atol=1e-3)
    assert np.abs(data - terminal).max() > 0.01  # the sign of the rotation matters


def test_numbers_of_latents(stirred) -> None:
    tokens = jnp.asarray(drawn_tokens())
    model = stirred(SMALL)
    # The first of N latents saw the same as a single latent on the sequence that ends with it.
    first = apply(model, tokens, num_latents=5)[:, 0]
    np.testing.assert_allclose(first, apply(model, tokens[:, :8], num_latents=1)[:, 0], rtol=1e-4, atol=1e-4)
    assert np.abs(apply(model, tokens, num_latents=12)[:, -1] - apply(model, tokens)[:, -1]).max() > 1e-3
    flat = stirred(replace(SMALL, depth=0))
    few, many = apply(flat, tokens, num_latents=2), apply(flat, tokens, num_latents=9)
    np.testing.assert_allclose(few, many[:, -2:], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "lengths"), [("exact", None), ("bernoulli", [12, 7])])
def test_remat_changes_nothing(kind: str, lengths: list[int] | None, stirred) -> None:
    # Slices of four inputs, and some that are left over.
    config = replace(SMALL, num_latents=2, chunk=4, dropout=0.1, prefix_dropout=0.1, prefix_dropout_kind=kind)
    tokens, sizes = jnp.asarray(drawn_tokens()), None if lengths is None else jnp.array(lengths)
    gradients = []
    for remat in (False, True):

        def loss(model: PerceiverAR) -> jax.Array:
            return sequence_loss(model, tokens, tokens, sizes, key=jax.random.key(3)).nats

        found = nnx.jit(nnx.value_and_grad(loss))(stirred(replace(config, remat=remat)))
        gradients.append(jax.tree.leaves(found))
    for kept, again in zip(*gradients, strict=True):
        np.testing.assert_allclose(kept, again, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("chunk", "share"), [(256, 0.5), (1024, 0.75)])
def test_inputs_are_never_all_embedded_at_once(chunk: int, share: float) -> None:
    config = replace(SMALL, context_length=8192, num_latents=8, chunk=chunk, width=32, depth=1)
    bytes_of = {}
    for remat in (False, True):
        model = replace(config, remat=remat)
        graph, params = nnx.split(nnx.eval_shape(lambda model=model: PerceiverAR(model, nnx.Rngs(0))))

        def loss(params, tokens: jax.Array, graph=graph) -> jax.Array:
            return sequence_loss(nnx.merge(graph, params), tokens, tokens).nats

        tokens = jax.ShapeDtypeStruct((1, 8192), jnp.int32)
        compiled = jax.jit(jax.grad(loss)).lower(params, tokens).compile()
        bytes_of[remat] = compiled.memory_analysis().temp_size_in_bytes
    assert bytes_of[True] < share * bytes_of[False]


def test_saved_and_read_back(tmp_path, stirred) -> None:
    model, tokens = stirred(replace(ABSOLUTE, position_tables="learned")), jnp.asarray(drawn_tokens())
    again = PerceiverAR.from_pretrained(model.save_pretrained(tmp_path / "model"))
    assert again.config == model.config
    np.testing.assert_array_equal(apply(model, tokens), apply(again, tokens))


ROWS = ["copy-131k", "imagenet64", "wikitext103-8k", "pg19-4k", "books-deep", "maestro", "soundstream-64k"]


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_the_paper_train_on_paper(name: str) -> None:
    """Loss and gradients of the full size, by shapes alone."""
    config = PRESETS[f"paper-{name}"].config.model
    graph, params = nnx.split(nnx.eval_shape(lambda: PerceiverAR(config, nnx.Rngs(0))))
    tokens = jax.ShapeDtypeStruct((2, config.context_length), jnp.int32)
    several = config.uses_absolute_positions and len(config.axis_sizes) > 1
    places = jax.ShapeDtypeStruct((*tokens.shape, len(config.axis_sizes)), jnp.int32) if several else None

    def loss(params, tokens: jax.Array, places: jax.Array | None) -> jax.Array:
        found = sequence_loss(nnx.merge(graph, params), tokens, tokens, None, places, key=jax.random.key(0))
        return found.total(1e-4)

    value, slopes = jax.eval_shape(jax.value_and_grad(loss), params, tokens, places)
    assert value.shape == ()
    assert jax.tree.map(jnp.shape, slopes) == jax.tree.map(jnp.shape, params)


@pytest.mark.parametrize(
    ("length", "options", "message"),
    [
        (13, {}, "sequences have 13 tokens, expected at most context_length, 12"),
        (3, {}, "num_latents is 4 for sequences of 3 tokens, expected 1 to 3"),
        (12, {"num_latents": 0}, "num_latents is 0 for sequences of 12 tokens"),
        (12, {"coordinates": jnp.ones((1, 12, 1), int)}, "positions are rotary only; leave them out"),
    ],
)
def test_inputs_that_do_not_fit_raise_errors(length: int, options: dict, message: str) -> None:
    model = PerceiverAR(SMALL, nnx.Rngs(0))
    with pytest.raises(UsageError, match=message):
        model(jnp.ones((1, length), int), **options)


def test_images_need_coordinates() -> None:
    model = PerceiverAR(replace(ABSOLUTE, axes=(5, 5)), nnx.Rngs(0))
    with pytest.raises(UsageError, match="the model has 2 axes of positions; pass coordinates"):
        model(jnp.ones((1, 12), int))
    with pytest.raises(UsageError, match="coordinates have 1 axes, expected 2"):
        model(jnp.ones((1, 12), int), None, jnp.ones((1, 12, 1), int))
