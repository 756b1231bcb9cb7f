"""A linear layer with a backward pass that is fast on CPUs."""

from typing import Any

import jax
from flax import nnx
from jax import lax
from jaxtyping import Array


def linear_dot_general(x: Array, kernel: Array, dimension_numbers: Any, **options: Any) -> Array:
    r"""`jax.lax.dot_general` of a linear layer $y = x W$ (`dot_general` of `nnx.Linear`), for reverse mode only.

    JAX computes the gradient of the kernel as $(\bar y^T x)^T$. On a CPU, XLA makes of it a product of two transposed
    arrays and a copy of one, which is slow inside a loop over layers. Here the product is $x^T \bar y$, or, where there
    are fewer features than channels, $\bar y^T x$, transposed afterwards: a copy of the narrower array only. Values
    are the same up to rounding.

    Args:
        x: inputs, with the channels last.
        kernel: W, [channels, features].
        dimension_numbers: those of $x W$.
        options: further arguments of `jax.lax.dot_general`.
    """

    @jax.custom_vjp
    def product(x: Array, kernel: Array) -> Array:
        return lax.dot_general(x, kernel, dimension_numbers, **options)

    def forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
        return product(x, kernel), (x, kernel)

    def backward(saved: tuple[Array, Array], y_bar: Array) -> tuple[Array, Array]:
        x, kernel = saved
        precision, rows = options.get("precision"), tuple(range(x.ndim - 1))
        x_bar = lax.dot_general(y_bar, kernel, (((x.ndim - 1,), (1,)), ((), ())), precision)
        over_rows = ((rows, rows), ((), ()))
        if x.shape[-1] <= y_bar.shape[-1]:
            kernel_bar = lax.dot_general(x, y_bar, over_rows, precision)
        else:  # the barrier keeps XLA from moving the transposition to the factors
            kernel_bar = lax.optimization_barrier(lax.dot_general(y_bar, x, over_rows, precision)).T
        return x_bar.astype(x.dtype), kernel_bar.astype(kernel.dtype)

    product.defvjp(forward, backward)
    return product(x, kernel)


class Linear(nnx.Linear):
    """`nnx.Linear` with `linear_dot_general`; the same parameters and results."""

    def __init__(self, in_features: int, out_features: int, *, rngs: nnx.Rngs, **options: Any) -> None:
        super().__init__(in_features, out_features, dot_general=linear_dot_general, rngs=rngs, **options)
