import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import intermediate_sizes

from perceiver_ar.models import attention
from perceiver_ar.models.attention import (
    MASKED_KEY,
    NEG_INF,
    PartialAttention,
    attend,
    attend_by_index,
    attend_one,
    merge,
    offset_causal,
)

B, N, M, H, D = 2, 5, 11, 2, 4


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def inputs(queries: int = N, keys: int = M, channels: int = D) -> list[np.ndarray]:
    return [drawn(B, queries, H, D, seed=1), drawn(B, keys, H, D, seed=2), drawn(B, keys, H, channels, seed=3)]


def naive(q: np.ndarray, k: np.ndarray, v: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Softmax attention in double precision, pair by pair; seen is [B, N, M]."""
    values = np.zeros((*q.shape[:3], v.shape[-1]))
    log_sum = np.full(q.shape[:3], float(NEG_INF))
    for b, n, h in np.ndindex(*log_sum.shape):
        keys = np.flatnonzero(seen[b, n])
        if len(keys):
            weights = np.exp(k[b, keys, h] @ q[b, n, h] / np.sqrt(q.shape[-1]))
            values[b, n, h] = weights @ v[b, keys, h] / weights.sum()
            log_sum[b, n, h] = np.log(weights.sum())
    return values, log_sum


def same(got: PartialAttention, wanted: tuple[np.ndarray, np.ndarray]) -> None:
    for mine, theirs in zip(got, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-5)


def singles(arrays: list[np.ndarray]) -> list[jax.Array]:
    return [jnp.asarray(array, jnp.float32) for array in arrays]


def offset_mask(queries: int, keys: int) -> np.ndarray:
    seen = np.arange(keys)[None] <= np.arange(queries)[:, None] + keys - queries
    return np.broadcast_to(seen, (B, queries, keys))


@pytest.mark.parametrize("chunk", [1, 3, 4, 64])
@pytest.mark.parametrize("keys", [N, M])
def test_offset_causal_equals_the_loop(chunk: int, keys: int) -> None:
    arrays = inputs(keys=keys, channels=3)
    same(offset_causal(*singles(arrays), chunk=chunk), naive(*arrays, offset_mask(N, keys)))


RAGGED_QUERIES = np.array([[-1, -1, 0, 1, 2], [4, 5, 6, 7, 8]])
RAGGED_KEYS = np.array([[0, 1, 2] + [MASKED_KEY] * 8, [*range(9), MASKED_KEY, MASKED_KEY]])
HIDDEN = np.array([[False, True, True] + [False] * 8, [True, False] * 4 + [True, True, False]])


def ragged_mask(dropped: np.ndarray | None) -> np.ndarray:
    keys, queries = RAGGED_KEYS[:, None, :], RAGGED_QUERIES[:, :, None]
    seen = (keys <= queries) & (keys < MASKED_KEY)
    return seen if dropped is None else seen & (~dropped[:, None, :] | (keys == queries))


@pytest.mark.parametrize("chunk", [1, 4, 64])
@pytest.mark.parametrize("dropped", [None, HIDDEN])
def test_indices_say_who_sees_whom(chunk: int, dropped: np.ndarray | None) -> None:
    arrays = inputs()
    got = attend_by_index(
        *singles(arrays),
        jnp.asarray(RAGGED_QUERIES),
        jnp.asarray(RAGGED_KEYS),
        None if dropped is None else jnp.asarray(dropped),
        chunk=chunk,
    )
    same(got, naive(*arrays, ragged_mask(dropped)))
    assert not np.asarray(got.values[0, :2]).any()  # latents before the start see nothing and say nothing


def test_a_single_query_sees_all_that_is_there() -> None:
    arrays = inputs(queries=1, channels=3)
    same(attend_one(*singles(arrays), jnp.asarray(RAGGED_KEYS)), naive(*arrays, RAGGED_KEYS[:, None, :] < MASKED_KEY))
    nothing = attend_one(*singles(arrays), jnp.full((B, M), MASKED_KEY))
    same(nothing, naive(*arrays, np.zeros((B, 1, M), bool)))


def test_merging_any_split_of_the_keys_changes_nothing() -> None:
    arrays = inputs()
    q, k, v = singles(arrays)
    everything = naive(*arrays, np.ones((B, N, M), bool))
    for filter_logits in (1, 6, 10):
        same(
            merge(
                attend(q, k[:, :filter_logits], v[:, :filter_logits]),
                attend(q, k[:, filter_logits:], v[:, filter_logits:]),
            ),
            everything,
        )
    empty = PartialAttention(jnp.zeros_like(q), jnp.full(q.shape[:3], NEG_INF))
    same(merge(empty, attend(q, k, v)), everything)
    assert not np.asarray(merge(empty, empty).values).any()


def directional(function, arrays: list[np.ndarray], weights: tuple[np.ndarray, np.ndarray], move: list[np.ndarray]):
    """Central difference of <weights, function> along `move`, in double precision."""

    def value(step: float) -> float:
        parts = function(*[array + step * direction for array, direction in zip(arrays, move, strict=True)])
        real = parts[1] > NEG_INF / 2
        return float((weights[0] * parts[0]).sum() + (weights[1] * parts[1])[real].sum())

    return (value(1e-5) - value(-1e-5)) / 2e-5


@pytest.mark.parametrize("chunk", [2, 4, 64])
@pytest.mark.parametrize("kind", ["offset", "ragged"])
def test_gradients_equal_finite_differences(chunk: int, kind: str) -> None:
    arrays = inputs()
    mask = offset_mask(N, M) if kind == "offset" else ragged_mask(HIDDEN)
    weights = drawn(B, N, H, D, seed=4), drawn(B, N, H, seed=5)

    def scalar(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        if kind == "offset":
            got = offset_causal(q, k, v, chunk=chunk)
        else:
            indices = jnp.asarray(RAGGED_QUERIES), jnp.asarray(RAGGED_KEYS), jnp.asarray(HIDDEN)
            got = attend_by_index(q, k, v, *indices, chunk=chunk)
        real = got.log_sum > NEG_INF / 2  # the gradient of the logarithm counts too: merging rests on it
        return (weights[0] * got.values).sum() + jnp.where(real, weights[1] * got.log_sum, 0.0).sum()

    gradients = jax.grad(scalar, argnums=(0, 1, 2))(*singles(arrays))
    for part in range(3):
        for seed in range(3):
            move = [np.zeros_like(array) for array in arrays]
            move[part] = drawn(*arrays[part].shape, seed=10 + seed)
            wanted = directional(lambda q, k, v: naive(q, k, v, mask), arrays, weights, move)
            np.testing.assert_allclose((np.asarray(gradients[part]) * move[part]).sum(), wanted, rtol=1e-3, atol=1e-4)


def test_no_array_has_an_entry_for_each_pair() -> None:
    queries, keys = 64, 512
    shapes = [jax.ShapeDtypeStruct((1, length, 1, 2), jnp.float32) for length in (queries, keys, keys)]

    def loss(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        return offset_causal(q, k, v, chunk=16).values.sum()

    traced = jax.make_jaxpr(jax.value_and_grad(loss, argnums=(0, 1, 2)))(*shapes)
    found = intermediate_sizes(traced.jaxpr)
    assert max(found) <= 2 * keys  # keys and values themselves, where pairs would be 32,768
    assert 16 * 16 in found  # the walk did look inside the loops


def test_layers_in_a_scan_keep_no_mask_of_every_pair() -> None:
    """A gradient of a scan keeps what depends on no data, which masks from constant indices would be."""
    length, chunk = 256, 16

    def layer(z: jax.Array, _: None) -> tuple[jax.Array, None]:
        return attend(z, z, z, causal=True, chunk=chunk).values, None

    def loss(z: jax.Array) -> jax.Array:
        return jax.lax.scan(layer, z, length=3)[0].sum()

    found = intermediate_sizes(jax.make_jaxpr(jax.grad(loss))(jnp.ones((1, length, 1, 2))).jaxpr)
    assert max(found) <= 4 * 2 * length  # what three layers keep of queries, where pairs would be 65,536
    assert chunk * chunk in found


def test_blocks_fit_the_cache_of_a_cpu() -> None:
    length = 4 * attention.CPU_BLOCK
    shape = jax.ShapeDtypeStruct((1, length, 1, 2), jnp.float32)
    found = intermediate_sizes(jax.make_jaxpr(lambda q: attend(q, q, q, causal=True, chunk=length).values)(shape).jaxpr)
    assert max(found) == attention.CPU_BLOCK**2


def test_a_library_kernel_takes_the_place_of_the_forward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = inputs()
    wanted = naive(*arrays, offset_mask(N, M))
    calls = []
    original = jax.nn.dot_product_attention

    def spy(*args, **options):
        calls.append(options["is_causal"])
        return original(*args, **options)

    monkeypatch.setattr(attention, "GPU_KERNEL", "xla")
    monkeypatch.setattr(attention, "_cudnn_supports", lambda q: True)
    monkeypatch.setattr(jax.nn, "dot_product_attention", spy)
    same(offset_causal(*singles(arrays)), wanted)
    assert calls == [True, False]  # own inputs, then the prefix
    gradient = jax.grad(lambda q, k, v: offset_causal(q, k, v).values[..., 0].sum())(*singles(arrays))
    monkeypatch.setattr(attention, "_cudnn_supports", lambda q: False)
    ours = jax.grad(lambda q, k, v: offset_causal(q, k, v).values[..., 0].sum())(*singles(arrays))
    np.testing.assert_allclose(gradient, ours, atol=1e-5)


def test_half_precision_accumulates_in_single() -> None:
    arrays = inputs(keys=64)
    halves = [jnp.asarray(array, jnp.bfloat16) for array in arrays]
    got = offset_causal(*halves, chunk=16)
    assert got.values.dtype == got.log_sum.dtype == jnp.float32
    rounded = [np.asarray(array, np.float64) for array in halves]
    np.testing.assert_allclose(got.values, naive(*rounded, offset_mask(N, 64))[0], atol=2e-2)
    np.testing.assert_allclose(got.log_sum, naive(*rounded, offset_mask(N, 64))[1], atol=1e-5)
