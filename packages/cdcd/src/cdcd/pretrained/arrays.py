"""Weights of any network as named arrays and back, for networks that claims train and keep."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from onepaper.checkpoints import check_tree
from onepaper.jax.state_files import flatten, model_arrays, tree_of

ModelT = TypeVar("ModelT", bound=nnx.Module)


def arrays_of(model: nnx.Module) -> dict[str, np.ndarray]:
    """All saved variables by name."""
    return {name: np.asarray(array) for name, array in model_arrays(model).items()}


def model_of(build: Callable[[], ModelT], arrays: Mapping[str, Any], where: object) -> ModelT:
    """The network with these variables.

    Args:
        build: makes a network of the same architecture; it is not allocated.
        arrays: as of `arrays_of`.
        where: what an error names.

    Raises:
        OnePaperError: names, shapes or dtypes differ from the network's.
    """
    graph, abstract = nnx.split(nnx.eval_shape(build))
    names = [name.removesuffix("/value") for name in flatten(abstract)]
    check_tree(tree_of(dict(zip(names, jax.tree.leaves(abstract), strict=True))), tree_of(arrays), where)
    return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(abstract), [jnp.asarray(arrays[n]) for n in names]))
