r"""Adaptive embeddings, narrower for rare words and shared by inputs and outputs (Baevski and Auli, 2019).

The vocabulary, ordered by frequency, is split into bands. Band b has a table $E_b$ of width $D / f^b$ and a projection
$P_b$ to the width D: the word w of band b enters as $E_b[w] P_b$. The probability of a word is that of the adaptive
softmax (Grave et al., 2017): the first softmax is over the words of band 0 and one logit for each other band; a word of
another band has the probability of its band times its probability within the band.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int
from onepaper.errors import UsageError
from onepaper.jax.linear import Linear


def check_ids(name: str, ids: np.ndarray, vocab_size: int) -> None:
    """Raise `UsageError` unless `ids` is a sequence of integers from 1 to `vocab_size` - 1, so without PAD."""
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise UsageError(f"{name} is {ids.dtype} of shape {ids.shape}, expected integers of one dimension")
    if not 0 < ids.min() <= ids.max() < vocab_size:
        advice = "; 0 is padding, leave it out" if not ids.min() else ""
        raise UsageError(f"{name} has ids from {ids.min()} to {ids.max()}, expected 1 to {vocab_size - 1}{advice}")


class AdaptiveEmbedding(nnx.Module):
    """Embedding tables of several widths, and the logits computed with the same tables.

    Args:
        bands: first id, end and width of each band, frequent words first; at least two.
        width: D.
    """

    def __init__(self, bands: Sequence[tuple[int, int, int]], width: int, rngs: nnx.Rngs) -> None:
        self.bands = tuple(bands)
        initial = nnx.initializers.truncated_normal(1.0)
        self.tables = nnx.List(
            [nnx.Embed(high - low, narrow, embedding_init=initial, rngs=rngs) for low, high, narrow in bands]
        )
        self.projections = nnx.List([Linear(narrow, width, use_bias=False, rngs=rngs) for _, _, narrow in bands])
        self.bias = nnx.Param(jnp.zeros(bands[-1][1]))
        # The initial probability of a band is proportional to its number of words, so the first loss is near ln V.
        sizes = jnp.array([high - low for low, high, _ in bands[1:]], jnp.float32)
        self.clusters = Linear(
            width,
            len(bands) - 1,
            kernel_init=nnx.initializers.zeros,
            bias_init=lambda *_: jnp.log(sizes),
            rngs=rngs,
        )

    def __call__(self, tokens: Int[Array, "*batch"]) -> Float[Array, "*batch width"]:
        """The embedded words."""
        found = []
        for (low, high, _), table, project in zip(self.bands, self.tables, self.projections, strict=True):
            inside = (tokens >= low) & (tokens < high)
            rows = project(table(jnp.where(inside, tokens - low, 0)))
            found.append(jnp.where(inside[..., None], rows, 0.0))
        return sum(found[1:], found[0])

    def logits(self, z: Float[Array, "*batch width"]) -> Float[Array, "*batch vocab"]:
        r"""Logits whose softmax is the adaptive one, in float32.

        Those of band 0 are $x_w = z \cdot E_0[w] P_0 / \sqrt D + \beta_w$, those of a word in band b
        $c_b(z) + \log \mathrm{softmax}(x)_w$ over its band; their partition function is that of band 0 and the c. The
        factor $1 / \sqrt D$ keeps the logits of unit embeddings near 1 at initialization.
        """
        clusters = self.clusters(z).astype(jnp.float32)
        found = []
        for band, (low, high, _) in enumerate(self.bands):
            project = self.projections[band]
            dtype = project.dtype or z.dtype
            narrow = z.astype(dtype) @ project.kernel[...].astype(dtype).T
            table = self.tables[band].embedding[...].astype(dtype)
            band_logits = jnp.einsum("...n,vn->...v", narrow, table, preferred_element_type=jnp.float32)
            band_logits = band_logits * z.shape[-1] ** -0.5 + self.bias[low:high]
            found.append(
                band_logits if band == 0 else jax.nn.log_softmax(band_logits, axis=-1) + clusters[..., band - 1 : band]
            )
        return jnp.concatenate(found, axis=-1)
