"""Translations of trained networks: samples, minimum Bayes risk over several of them, and beams of the baseline."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Int
from onepaper.config import check_positive
from onepaper.errors import UsageError

from cdcd.config import SamplingOptions, Tokenization
from cdcd.data.sentences import SentenceCodec
from cdcd.diffusion.samplers import sample
from cdcd.diffusion.times import step_times
from cdcd.evaluation.translations import least_risk
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion


class Translation(NamedTuple):
    """The chosen translation of a sentence, and all hypotheses it was chosen from."""

    text: str
    hypotheses: list[str]


class Translator:
    """Samples translations of a network, compiled once for each size of batch.

    Args:
        model: the network.
        codec: of its sentences.
        options: how the differential equation is solved; None: the settings of table 4 of the paper for German.
        batch_size: sequences sampled at once; affects speed and memory, not results.
    """

    def __init__(
        self,
        model: TranslationDiffusion,
        codec: SentenceCodec,
        options: SamplingOptions | None = None,
        batch_size: int = 128,
    ) -> None:
        check_positive("batch_size", batch_size)
        options = options or SamplingOptions(score_temperature=0.8, guidance=4.0)
        self.model, self.codec, self.batch_size = model, codec, batch_size
        self._graph, self._state = nnx.split(model)
        # The compiled loop does not depend on the times, which are an argument.
        self._solver = replace(options, steps=1, spacing="warped", rho=1.0)
        self.times = step_times(model.warp.averaged(), options)

    def sample(
        self, source: Int[np.ndarray, "sentences source"], hypotheses: int = 1, *, seed: int = 0
    ) -> Int[np.ndarray, "sentences hypotheses length"]:
        """Independent translations; hypothesis j of sentence i depends on (seed, i, j) only.

        Args:
            source: tokens of sentences.
            hypotheses: number of translations of each.
            seed: of the noise.

        Raises:
            UsageError: nothing to translate, or a result that is not finite.
        """
        check_positive("hypotheses", hypotheses)
        if not len(source):
            raise UsageError("there is no sentence to translate")
        fold = jax.vmap(jax.random.fold_in, in_axes=(None, 0))
        by_sentence = fold(jax.random.key(seed), jnp.arange(len(source)))
        keys = jax.vmap(fold, in_axes=(0, None))(by_sentence, jnp.arange(hypotheses)).reshape(-1)
        sources = np.repeat(source, hypotheses, axis=0)

        def translate(rows: np.ndarray) -> np.ndarray:
            tokens, entropy = _translate(self._graph, self._solver, self._state, sources[rows], self.times, keys[rows])
            if not np.isfinite(np.asarray(entropy)).all():
                step = int(np.isfinite(np.asarray(entropy)).argmin())
                raise UsageError(
                    f"sampling is not finite from step {step} on, at noise level {float(self.times[step]):.3g}; use "
                    "less guidance or a score_temperature nearer to 1"
                )
            return np.asarray(tokens)

        return in_batches(translate, len(sources), self.batch_size).reshape(len(source), hypotheses, -1)

    def translate(
        self,
        sentences: Sequence[str],
        hypotheses: int = 1,
        *,
        seed: int = 0,
        tokenization: Tokenization = "13a",
    ) -> list[Translation]:
        """Translations, of several hypotheses the one of least risk (paper, section 6.6).

        Raises:
            UsageError: an empty sentence, or one that is too long for the network.
        """
        tokens = self.sample(
            encode_sources(self.codec, sentences, self.model.config.source_length), hypotheses, seed=seed
        )
        texts = [[self.codec.decode(row) for row in rows] for rows in tokens]
        return [Translation(rows[least_risk(rows, tokenization)], rows) for rows in texts]


def encode_sources(
    codec: SentenceCodec, sentences: Sequence[str], length: int
) -> Int[np.ndarray, "sentences {length}"]:
    """The sources as tokens.

    Raises:
        UsageError: an empty sentence, or one that is too long.
    """
    found = []
    for text in sentences:
        if not text.strip():
            raise UsageError("there is an empty sentence to translate; leave it out")
        row = codec.encode_source(" ".join(text.split()), length)
        if row is None:
            raise UsageError(f"'{text[:40]}...' is too long, expected at most {length - 1} tokens; split it")
        found.append(row)
    return np.array(found, np.int32).reshape(len(found), length)


def search_beams(
    model: CausalTranslator,
    codec: SentenceCodec,
    source: Int[np.ndarray, "sentences source"],
    *,
    beams: int = 4,
    length_penalty: float = 0.6,
    batch_size: int = 64,
) -> list[str]:
    """Translations of the baseline by beam search."""
    check_positive("beams", beams)
    graph, state = nnx.split(model)
    tokens = in_batches(
        lambda rows: np.asarray(_search(graph, beams, length_penalty, state, source[rows])), len(source), batch_size
    )
    return [codec.decode(row) for row in tokens]


def in_batches(function: Callable[[np.ndarray], np.ndarray], count: int, batch_size: int) -> np.ndarray:
    """`function` of row numbers, in batches of one size; the last one repeats its last row, which is then dropped."""
    size = min(batch_size, count)
    found = []
    for start in range(0, count, size):
        rows = np.arange(start, start + size).clip(max=count - 1)
        found.append(function(rows)[: count - start])
    return np.concatenate(found)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _translate(graph: Any, options: SamplingOptions, state: Any, source: Any, times: Any, keys: Any) -> Any:
    model: TranslationDiffusion = nnx.merge(graph, state)
    config = model.config
    shape = len(source), config.length
    found = sample(
        model.denoiser(source),
        model.embeddings(),
        jnp.zeros(shape, jnp.int32),
        jnp.ones(shape, bool),
        times,
        keys,
        options,
        self_conditioning=config.self_conditioning,
    )
    return found.tokens, found.entropy


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _search(graph: Any, beams: int, length_penalty: float, state: Any, source: Any) -> Any:
    return nnx.merge(graph, state).beam_search(source, beams, length_penalty).tokens[:, 0]
