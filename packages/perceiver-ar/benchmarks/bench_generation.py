"""Tokens a second by cached sampling with resets, beside a full pass for every token, on one core.

    OMP_NUM_THREADS=1 XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1" \
        taskset -c 0 python benchmarks/bench_generation.py

Both start from a prompt that fills half of the context and draw from the same untrained network. A full pass costs
M N + L N^2 for each token, a cached step M + L N and a reset now and then.
"""

import argparse
import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from perceiver_ar.config import SOS, ModelConfig
from perceiver_ar.generation import Sampler
from perceiver_ar.model import PerceiverAR


@functools.partial(jax.jit, static_argnums=2)
def next_token(model: PerceiverAR, tokens: jax.Array, num_latents: int, length: jax.Array, key: jax.Array) -> jax.Array:
    """A token drawn from a full pass over the first `length` inputs."""
    logits = model(tokens, jnp.full(len(tokens), length), num_latents=num_latents)[:, -1]
    return jax.random.categorical(key, logits)


def recompute(model: PerceiverAR, prompt: list[int], new_tokens: int) -> float:
    """Seconds for each token by full passes, the compilation left out."""
    config = model.config
    tokens = np.zeros((1, config.context_length), np.int32)
    tokens[0, : len(prompt)] = prompt
    key, length = jax.random.key(0), len(prompt)
    next_token(model, jnp.asarray(tokens), config.num_latents, jnp.int32(length), key).block_until_ready()
    begin = time.perf_counter()
    for step in range(new_tokens):
        drawn = next_token(
            model, jnp.asarray(tokens), config.num_latents, jnp.int32(length), jax.random.fold_in(key, step)
        )
        tokens[0, length] = int(drawn[0])
        length += 1
    return (time.perf_counter() - begin) / new_tokens


def cached(model: PerceiverAR, prompt: list[int], new_tokens: int) -> float:
    """Seconds for each token with caches and resets, the prompt included and the compilation left out."""
    sampler = Sampler(model)
    sampler.generate([prompt], new_tokens, jax.random.key(0))
    begin = time.perf_counter()
    sampler.generate([prompt], new_tokens, jax.random.key(1))
    return (time.perf_counter() - begin) / new_tokens


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Cached sampling beside full passes.")
    parser.add_argument("--contexts", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--latents", type=int, default=256)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--new-tokens", type=int, default=512, help="drawn with caches; a tenth of them by full passes")
    options = parser.parse_args()
    print(f"{'context':>8} {'full tok/s':>11} {'cached tok/s':>13} {'ratio':>6}")
    for context in options.contexts:
        config = ModelConfig(
            context_length=context, num_latents=options.latents, depth=options.depth, width=options.width
        )
        model = PerceiverAR(config, nnx.Rngs(0))
        generator = np.random.default_rng(0)
        prompt = [SOS, *generator.integers(3, config.vocab_size, context // 2 - 1).tolist()]
        new_tokens = min(options.new_tokens, context // 2)
        slow = recompute(model, prompt, max(8, new_tokens // 10))
        fast = cached(model, prompt, new_tokens)
        print(f"{context:>8} {1 / slow:>11.1f} {1 / fast:>13.1f} {slow / fast:>6.1f}", flush=True)


if __name__ == "__main__":
    main()
