"""Decoders over the resolution, sampling with caches beside recomputation, memory of a large step.

    python bench_network.py [--rounds 5] [--output results/network.json]

On one thread, in seconds of processor time, so that other programs on the machine matter less. Memory is that of a
process of its own.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from onepaper.benchmark import peak_bytes, pin, run_script, write_result
from onepaper.claims import ClaimContext
from torch import Tensor

from dct_transformer.config import ChunkConfig
from dct_transformer.experiments.costs import MODEL, STRIDES, large_step
from dct_transformer.models.dct_transformer import DCTransformer, Memory

TRIPLES = 1000
# Lengths at which recomputation is timed; its cost for each triple is interpolated between them.
LENGTHS = (1, 250, 500, 750, 1000)
BATCHES = (1, 8)


def seconds(run: Callable[[], object]) -> float:
    """Processor time of a call."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def decoders(model: DCTransformer, memory: Memory, triples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features of the three decoders for a batch of sequences."""
    channels, positions, values = triples
    x = model.embed_triples(channels, positions, values)
    start = torch.zeros(len(channels), dtype=torch.long)
    h = model.decode_channels(x, start, memory)
    first = model.decode_positions(h, channels, memory)
    return h, first, model.decode_values(first, channels, positions, memory)


def over_resolution(rounds: int) -> dict[str, list[float]]:
    """Forward and backward pass of the decoders over a chunk, for sizes of images with 16 tokens of the encoder."""
    runs: dict[str, Callable[[], object]] = {}
    for size, stride in STRIDES.items():
        config = replace(MODEL, height=size, width=size, stride=stride)
        model = DCTransformer(config)
        count = model.legality.num_positions
        partial = torch.zeros((4, count, 192), dtype=torch.long)
        memory = model.encode(partial, torch.full((4,), -1), torch.zeros(4, dtype=torch.long))
        kept = Memory(*([tuple(part.detach() for part in pair) for pair in pairs] for pairs in memory[:3]),
                      memory.at_positions.detach())  # fmt: skip
        shape = (4, config.chunk.length)
        triples = torch.stack([torch.randint(0, most, shape) for most in (192, count, 16)])
        triples[2] += 1
        runs[str(size)] = lambda model=model, kept=kept, triples=triples: sum(
            features.sum() for features in decoders(model, kept, triples)
        ).backward()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(rounds + 1):
        for name, run in runs.items():
            if index:  # the first round warms up
                times[name].append(seconds(run))
            else:
                run()
    return times


@torch.inference_mode()
def sampling(batch: int) -> dict[str, float]:
    """Processor time of 1,000 triples of lists of 256 x 256 pixels, in one chunk, with and without caches."""
    config = replace(MODEL, height=256, width=256, stride=8, chunk=ChunkConfig(TRIPLES, 0))
    model = DCTransformer(config).eval()
    none = torch.zeros(batch, dtype=torch.long)
    memory = model.encode(torch.zeros((batch, 1024, 192), dtype=torch.long), none - 1, none)
    triples = torch.stack([torch.randint(0, most, (batch, TRIPLES)) for most in (192, 1024, 16)])
    triples[2] += 1

    def draw(features: tuple[Tensor, Tensor, Tensor]) -> None:
        for head, own in zip((model.channel_head, model.position_head, model.value_head), features, strict=True):
            torch.multinomial(head(own[:, -1]).softmax(-1), 1)

    def cached() -> None:
        caches = model.new_caches()
        for index in range(TRIPLES):
            channels, positions, values = triples[:, :, index : index + 1]
            x = model.embed_triples(channels, positions, values)
            h = model.decode_channels(x, none, memory, caches)
            first = model.decode_positions(h, channels, memory, caches)
            draw((h, first, model.decode_values(first, channels, positions, memory, caches)))

    def recomputed(length: int) -> None:
        draw(decoders(model, memory, triples[:, :, :length]))

    recomputed(TRIPLES)
    found = {length: min(seconds(lambda length=length: recomputed(length)) for _ in range(2)) for length in LENGTHS}
    pairs = itertools.pairwise(LENGTHS)
    total = sum((high - low) * (found[low] + found[high]) / 2 for low, high in pairs)
    own = seconds(cached)
    return {"cached": own, "recomputed": total, "recomputed_over_cached": total / own}


def main() -> None:
    """Measure, print, write as JSON where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    pin()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if options.memory:
        large_step(ClaimContext(seeds=(0,)))
        print(json.dumps(peak_bytes()))
        return
    memory = run_script(__file__, ["--memory"])
    times = over_resolution(2 if options.quick else options.rounds)
    medians = {size: statistics.median(own) for size, own in times.items()}
    drawn = {batch: sampling(batch) for batch in BATCHES}
    result = {
        "decoder_step": times,
        "variation_of_the_decoder_step": max(medians.values()) / min(medians.values()) - 1,
        "sampling": drawn,
        "memory_of_a_step_at_1024_pixels": memory,
    }
    print("| pixels | decoders, forward and backward (ms) |\n|---|---|")
    for size, median in medians.items():
        print(f"| {size} | {1000 * median:.1f} |")
    print(f"\nlargest variation {result['variation_of_the_decoder_step']:.1%}")
    for batch, own in drawn.items():
        ratio = own["recomputed_over_cached"]
        print(f"{batch} x {TRIPLES} triples: {own['cached']:.2f} s with caches, recomputed {ratio:.1f} times as long")
    print(f"memory of a training step at 1,024 pixels: {memory / 2**30:.2f} GiB")
    write_result(options.output, result, ("torch", "numpy"))


if __name__ == "__main__":
    main()
