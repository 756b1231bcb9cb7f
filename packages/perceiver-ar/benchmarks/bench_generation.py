"""Tokens a second with caches and resets, beside recomputing everything for each token.

    python bench_generation.py [--quick] [--rounds N] [--threads N] [--output results/generation.json]

One model, one prompt. "cached" is our `Sampler`; "recomputed" is our model's whole forward pass for each token, which
is what perceiver-ar-pytorch does; that peer's own `generate` runs too where it is installed. Ways take turns, each in a
process of its own, and what is compiled or warmed up before is not timed.
"""

import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from onepaper.benchmark import alternate, option_parser, pin, write_result

CONTEXT, LATENTS, WIDTH, DEPTH, HEADS, VOCABULARY = 2048, 512, 256, 4, 4, 259
PACKAGES = ("jax", "flax", "torch", "perceiver-ar-pytorch", "numpy")


def _model() -> Any:
    from flax import nnx

    from perceiver_ar.config import ModelConfig
    from perceiver_ar.models.perceiver_ar import PerceiverAR

    config = ModelConfig(
        vocab_size=VOCABULARY,
        context_length=CONTEXT,
        num_latents=LATENTS,
        width=WIDTH,
        depth=DEPTH,
        heads=HEADS,
        rotary_fraction=0.5,
    )
    return PerceiverAR(config, nnx.Rngs(0))


def _prompt(tokens: int) -> list[int]:
    import numpy as np

    return [2, *np.random.default_rng(0).integers(3, VOCABULARY, tokens - 1).tolist()]


def cached() -> Callable[[int], Any]:
    """Our sampler: an eighth of the window is free, so that resets and sliding both happen."""
    import jax

    from perceiver_ar.generation.decode import Sampler

    sampler = Sampler(_model())
    prompt = _prompt(CONTEXT - CONTEXT // 8)
    return lambda tokens: sampler.generate([prompt], tokens, jax.random.key(0))


def recomputed() -> Callable[[int], Any]:
    """Our whole forward pass over the full window, for each token."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    graph, params = nnx.split(_model())

    @jax.jit
    def next_window(params: Any, window: Any, key: Any) -> Any:
        logits = nnx.merge(graph, params)(window)[:, -1]
        token = jax.random.categorical(key, logits).astype(window.dtype)
        return jnp.concatenate([window[:, 1:], token[:, None]], axis=1)

    def run(tokens: int) -> None:
        window = jnp.asarray([_prompt(CONTEXT)])
        for number in range(tokens):
            window = next_window(params, window, jax.random.key(number))
        window.block_until_ready()

    return run


def peer() -> Callable[[int], Any]:
    """The peer's own sampling."""
    import torch
    from perceiver_ar_pytorch import PerceiverAR
    from perceiver_ar_pytorch.autoregressive_wrapper import AutoregressiveWrapper

    torch.manual_seed(0)
    model = AutoregressiveWrapper(
        PerceiverAR(
            num_tokens=VOCABULARY,
            dim=WIDTH,
            depth=DEPTH,
            dim_head=WIDTH // HEADS,
            heads=HEADS,
            max_seq_len=CONTEXT,
            cross_attn_seq_len=CONTEXT - LATENTS,
        )
    )
    prompt = torch.tensor([_prompt(CONTEXT)])
    return lambda tokens: model.generate(prompt, tokens)


# Way -> its maker, and tokens that are drawn for a rate.
WAYS = {"cached": (cached, 1024), "recomputed": (recomputed, 8), "perceiver-ar-pytorch": (peer, 8)}


def measure(way: str, tokens: int, threads: int) -> dict[str, float]:
    """In a process of its own: tokens a second."""
    pin(threads)
    if way == "perceiver-ar-pytorch":
        import torch

        torch.set_num_threads(threads)
    run = WAYS[way][0]()
    run(tokens)  # the same length, so that all that is compiled is compiled here
    begun = time.perf_counter()
    run(tokens)
    return {"tokens_per_second": tokens / (time.perf_counter() - begun)}


def main() -> None:
    """Measure in alternating processes, print as Markdown, write as JSON where asked to."""
    options = option_parser(__doc__, quick="one round, fewer tokens", measure=("WAY", "TOKENS")).parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], int(options.measure[1]), options.threads)))
        return
    ways = [way for way in WAYS if way in ("cached", "recomputed") or importlib.util.find_spec("perceiver_ar_pytorch")]
    tokens = {way: max(2, WAYS[way][1] // 4) if options.quick else WAYS[way][1] for way in ways}
    cases = {way: ["--measure", way, str(tokens[way]), "--threads", str(options.threads)] for way in ways}
    answers = alternate(__file__, cases, 1 if options.quick else options.rounds)
    found = {way: [answer["tokens_per_second"] for answer in each] for way, each in answers.items()}
    expected = (CONTEXT * LATENTS + DEPTH * LATENTS**2) / (CONTEXT + DEPTH * LATENTS)
    shape = {"context": CONTEXT, "latents": LATENTS, "width": WIDTH, "depth": DEPTH, "heads": HEADS}
    result = {"threads": options.threads, "shape": shape, "tokens_per_second": found}
    write_result(options.output, {**result, "ratio_of_attention_work": expected}, PACKAGES)
    print("| way | tokens a second | cached / this |\n|---|---|---|")
    best = statistics.median(found["cached"])
    for way, rates in found.items():
        rate = statistics.median(rates)
        print(f"| {way} | {rate:,.1f} | {best / rate:.1f} |")
    print(f"\nattention alone does {expected:,.0f} times the work without caches")


if __name__ == "__main__":
    main()
