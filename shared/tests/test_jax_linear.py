import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from onepaper.jax.linear import Linear


@pytest.mark.parametrize(("channels", "features"), [(3, 5), (5, 3), (4, 4)])
@pytest.mark.parametrize("rows", [(6,), (2, 3), ()])
def test_values_and_gradients_are_those_of_the_layer_of_flax(
    channels: int, features: int, rows: tuple[int, ...]
) -> None:
    ours, theirs = (kind(channels, features, rngs=nnx.Rngs(0)) for kind in (Linear, nnx.Linear))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(*rows, channels)), jnp.float32)

    def total(layer: nnx.Linear, x: jax.Array) -> jax.Array:
        return jnp.sin(layer(x)).sum()

    found = [jax.value_and_grad(total, argnums=(0, 1))(layer, x) for layer in (ours, theirs)]
    for one, other in zip(*(jax.tree.leaves(each) for each in found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_gradients_have_the_types_of_their_arguments() -> None:
    layer = Linear(4, 3, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    x = jnp.ones((2, 4))
    state, x_bar = jax.grad(lambda layer, x: layer(x).sum().astype(jnp.float32), argnums=(0, 1))(layer, x)
    assert (state.kernel[...].dtype, x_bar.dtype) == (jnp.float32, jnp.float32)
