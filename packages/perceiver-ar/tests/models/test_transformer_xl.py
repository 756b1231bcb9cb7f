import math
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.jax.state_files import model_arrays
from onepaper.jax.steps import JaxTask
from onepaper.optimizer import OptimizerOptions

from perceiver_ar.config import TransformerXLConfig
from perceiver_ar.models.transformer_xl import (
    TransformerXL,
    relative_shift,
    score_stream,
    segment_loss,
    stateful_loss,
    stream_batches,
)

SMALL = TransformerXLConfig(vocab_size=9, segment=4, memory=6, depth=2, width=8, heads=2, mlp_ratio=2)


def stirred_xl(config: TransformerXLConfig = SMALL) -> TransformerXL:
    model = TransformerXL(config, nnx.Rngs(0))
    leaves, tree = jax.tree.flatten(nnx.state(model, nnx.Param))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    drawn = [leaf + 0.3 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    nnx.update(model, jax.tree.unflatten(tree, drawn))
    return model


def naive(model: TransformerXL, tokens: np.ndarray, segment: int, memory: int) -> np.ndarray:
    """Logits of one sequence, token by token and key by key, in double precision."""
    config = model.config
    arrays = {name: np.asarray(array, np.float64) for name, array in model_arrays(model).items()}

    def norm(x: np.ndarray, of: dict, name: str) -> np.ndarray:
        centred = x - x.mean()
        return centred / np.sqrt((centred**2).mean() + 1e-5) * of[f"{name}/scale"] + of[f"{name}/bias"]

    def linear(x: np.ndarray, of: dict, name: str) -> np.ndarray:
        return x @ of[f"{name}/kernel"] + of.get(f"{name}/bias", 0.0)

    def sinusoid(distance: int) -> np.ndarray:
        rates = [math.exp(-i * math.log(1e4) / (config.width / 2 - 1)) for i in range(config.width // 2)]
        return np.array([f(distance * rate) for f in (math.sin, math.cos) for rate in rates])

    states = [arrays["embed/embedding"][token] for token in tokens]
    for number in range(config.depth):
        of = {n.removeprefix("layers/"): a[number] for n, a in arrays.items() if n.startswith("layers/")}
        after = []
        for i, state in enumerate(states):
            first = max(0, i // segment * segment - memory)  # the segment's own tokens and those remembered before it
            keys = [norm(states[j], of, "norm") for j in range(first, i + 1)]
            query = np.split(linear(norm(state, of, "norm"), of, "query"), config.heads)
            mixed = []
            for head, q in enumerate(query):
                part = slice(head * len(q), (head + 1) * len(q))
                scores = []
                for j, key in enumerate(keys, start=first):
                    content = (q + of["content_bias"][head]) @ linear(key, of, "key")[part]
                    place = (q + of["distance_bias"][head]) @ linear(sinusoid(i - j), of, "distance")[part]
                    scores.append((content + place) / math.sqrt(len(q)))
                weights = np.exp(scores) / np.exp(scores).sum()
                mixed.append(sum(w * linear(key, of, "value")[part] for w, key in zip(weights, keys, strict=True)))
            y = state + linear(np.concatenate(mixed), of, "out")
            after.append(y + linear(np.maximum(linear(norm(y, of, "norm_hidden"), of, "hidden"), 0) ** 2, of, "down"))
        states = after
    return np.array([linear(norm(state, arrays, "norm"), arrays, "head") for state in states])


def drawn_tokens(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(3, 9, shape)


@pytest.mark.parametrize("memory", [1, 4, 6, 11])
def test_segments_with_memory_equal_the_loops(memory: int) -> None:
    model, tokens = stirred_xl(), drawn_tokens(2, 16)
    state, parts = model.empty_memory(2, memory), []
    step = nnx.jit(lambda model, tokens, state: model(tokens, state))
    for start in range(0, 16, 4):
        logits, state = step(model, jnp.asarray(tokens[:, start : start + 4]), state)
        parts.append(np.asarray(logits))
        assert int(state.present) == min(start + 4, memory)
    got = np.concatenate(parts, axis=1)
    for row in range(2):
        np.testing.assert_allclose(got[row], naive(model, tokens[row], 4, memory), rtol=1e-3, atol=1e-3)


def test_scores_by_distance_become_scores_by_key() -> None:
    x = jnp.arange(3 * 5.0).reshape(1, 1, 3, 5)
    got = relative_shift(x)[0, 0]
    for i in range(3):
        for j in range(5 - 2 + i):  # keys that row i may see
            assert got[i, j] == x[0, 0, i, j + 2 - i]


def test_a_segment_as_long_as_the_text_needs_no_memory() -> None:
    model, tokens = stirred_xl(), drawn_tokens(1, 12)
    whole, _ = model(jnp.asarray(tokens))
    np.testing.assert_allclose(whole[0], naive(model, tokens[0], 12, 0), rtol=1e-3, atol=1e-3)
    # With a memory that holds everything, one layer deep, it makes no difference where segments end.
    flat = stirred_xl(replace(SMALL, depth=1))
    cut = np.concatenate([naive(flat, tokens[0], 4, 12)])
    np.testing.assert_allclose(flat(jnp.asarray(tokens))[0][0], cut, rtol=1e-3, atol=1e-3)


def test_no_gradient_reaches_the_memory() -> None:
    model, tokens = stirred_xl(), jnp.asarray(drawn_tokens(1, 8))
    _, state = model(tokens[:, :4])

    def nats(states: jax.Array) -> jax.Array:
        return segment_loss(model, tokens[:, 4:], tokens[:, 4:], state._replace(states=states))[0].nats

    assert not np.asarray(jax.grad(nats)(state.states)).any()
    assert float(nats(state.states)) != float(nats(jnp.zeros_like(state.states)))


def test_documents_are_scored_once_with_as_much_memory_as_asked() -> None:
    model, document = stirred_xl(), np.concatenate([[2], drawn_tokens(10)])
    for memory, segment in ((6, 4), (10, 4), (3, 5)):
        logits = naive(model, document[:-1], segment, memory)
        wanted = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(10), document[1:]]
        got = score_stream(model, document, memory=memory, segment=segment)
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)
    with pytest.raises(UsageError, match="the document has 1 tokens, expected SOS and at least one more"):
        score_stream(model, document[:1])


def test_batches_are_consecutive_and_start_anew() -> None:
    text = np.arange(30)
    batch = stream_batches(text, 2, 4)
    assert batch(0)["inputs"].tolist() == [[0, 1, 2, 3], [12, 13, 14, 15]]
    assert batch(1)["inputs"].tolist() == [[4, 5, 6, 7], [16, 17, 18, 19]]
    assert batch(1)["targets"].tolist() == [[5, 6, 7, 8], [17, 18, 19, 20]]
    assert [bool(batch(step)["fresh"].all()) for step in range(7)] == [True, False, False, True, False, False, True]
    np.testing.assert_array_equal(batch(4)["inputs"], batch(1)["inputs"])
    with pytest.raises(UsageError, match="the text has 8 tokens, expected more than 8"):
        stream_batches(np.arange(8), 2, 4)


def test_training_carries_the_memory_over_steps() -> None:
    """The loss of each step is that of the whole text so far, at the parameters of that step."""
    text = drawn_tokens(40)
    batches = stream_batches(text, 1, 4)
    options = OptimizerOptions(name="sgd", lr=1e-20)
    task = JaxTask(
        lambda rngs: TransformerXL(SMALL, rngs, stateful_rows=1), stateful_loss(0.0), options, total_steps=12
    )
    state = task.init(0)
    model = task.model(state)
    model.head.kernel[...] = jax.random.normal(jax.random.key(0), model.head.kernel.shape)
    _, params, _ = nnx.split(model, nnx.Param, ...)
    state.arrays["params"] = params
    losses = []
    for step in range(12):
        state, metrics = task.step(state, batches(step))
        losses.append(float(metrics["nats"]))
    logits = naive(task.model(state), text[:36], 4, 6)
    nats = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(36), text[1:37]]
    np.testing.assert_allclose(losses[:9], nats.reshape(9, 4).mean(axis=1), rtol=1e-3)
    np.testing.assert_allclose(losses[9:], losses[:3], rtol=1e-6)  # the text begins again, and nothing is remembered


def test_dropout_and_remat_train() -> None:
    tokens = jnp.asarray(drawn_tokens(2, 4))
    gradients = []
    for remat in (False, True):
        model = stirred_xl(replace(SMALL, dropout=0.2, remat=remat))
        loss = nnx.jit(
            nnx.value_and_grad(lambda model: segment_loss(model, tokens, tokens, key=jax.random.key(2))[0].nats)
        )
        gradients.append(jax.tree.leaves(nnx.jit(loss)(model)))
    for kept, again in zip(*gradients, strict=True):
        np.testing.assert_allclose(kept, again, rtol=1e-4, atol=1e-5)
    assert float(gradients[0][0]) != float(segment_loss(stirred_xl(), tokens, tokens)[0].nats)


def test_saved_and_read_back_without_its_memory(tmp_path: Path) -> None:
    carrying = TransformerXL(SMALL, nnx.Rngs(3), stateful_rows=2)
    again = TransformerXL.from_pretrained(carrying.save_pretrained(tmp_path / "model"))
    assert again.config == SMALL
    tokens = jnp.asarray(drawn_tokens(2, 4))
    np.testing.assert_array_equal(again(tokens)[1].states, carrying(tokens)[1].states)


def test_parameters_by_the_formula() -> None:
    width, vocabulary = 8, 9
    layer = 4 * (width**2 + width) + width**2 + 2 * width + 2 * 2 * width**2 + 3 * width + 4 * width
    model = nnx.eval_shape(lambda: TransformerXL(SMALL, nnx.Rngs(0)))
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    assert count == 2 * layer + vocabulary * width + 2 * width + width * vocabulary + vocabulary


def test_starts_with_the_loss_of_a_guess() -> None:
    tokens = jnp.asarray(drawn_tokens(2, 4))
    found, _ = segment_loss(TransformerXL(SMALL, nnx.Rngs(0)), tokens, tokens.at[0, 0].set(0))
    np.testing.assert_allclose(found.nats / found.targets, math.log(9), rtol=1e-6)
    assert float(found.targets) == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 9}, "width is 9, expected an even multiple of the 2 heads"),
        ({"memory": 0}, "memory is 0"),
        ({"vocab_size": 3}, "vocab_size is 3"),
    ],
)
def test_bad_settings_raise_errors(changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(SMALL, **changes)
