"""MM-DiT beside the class of the library diffusers, with the same weights: forward and training step.

    python benchmarks/bench_denoiser.py [--rounds 7] [--threads 1] [--output FILE]

Both run in one process and take turns, so that the load of the machine meets both alike. The numbers are ratios of
times, diffusers over ours: above 1 ours is faster.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import SD3Transformer2DModel
from onepaper.benchmark import option_parser, write_result
from torch import Tensor, nn

from imagen3.models.networks import fill
from imagen3.pretrained.diffusers_folders import empty_network, read_network
from imagen3.text.encoder import TextFeatures

# (width, depth, heads), latents of a side, batch, text tokens
CASES = {
    "laptop, 16 x 16 latents": ((192, 6, 3), 16, 16, 24),
    "laptop, 32 x 32 latents": ((192, 6, 3), 32, 4, 77),
    "wide, 32 x 32 latents": ((768, 4, 12), 32, 2, 77),
}


def networks(width: int, depth: int, heads: int) -> tuple[SD3Transformer2DModel, nn.Module]:
    """Theirs with random weights, and ours with the same ones."""
    torch.manual_seed(0)
    theirs = SD3Transformer2DModel(
        sample_size=32, patch_size=2, in_channels=4, out_channels=4, num_layers=depth, num_attention_heads=heads,
        attention_head_dim=width // heads, joint_attention_dim=128, caption_projection_dim=width,
        pooled_projection_dim=128, pos_embed_max_size=32, qk_norm="rms_norm",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        config, tensors = read_network(Path(folder))
    ours = empty_network(config)
    fill(ours, tensors, Path("diffusers"))
    return theirs, ours.requires_grad_(True)


def measure(case: tuple[tuple[int, int, int], int, int, int], rounds: int) -> dict[str, list[float]]:
    """Seconds of theirs over ours in each round, and the largest difference of their outputs."""
    (width, depth, heads), side, batch, length = case
    theirs, ours = networks(width, depth, heads)
    z, t = torch.randn(batch, 4, side, side), torch.rand(batch)
    text = TextFeatures(
        torch.randn(batch, length, 128), torch.ones(batch, length, dtype=torch.bool), torch.randn(batch, 128)
    )

    def of_theirs() -> Tensor:
        return theirs(
            z, timestep=1000 * t, encoder_hidden_states=text.tokens, pooled_projections=text.pooled, return_dict=False
        )[0]

    def of_ours() -> Tensor:
        return ours(z, t, text)

    calls = {"theirs": (theirs, of_theirs), "ours": (ours, of_ours)}
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-4) for name, (model, _) in calls.items()}

    def forward(name: str) -> None:
        with torch.inference_mode():
            calls[name][1]()

    def step(name: str) -> None:
        calls[name][1]().square().mean().backward()
        optimizers[name].step()
        optimizers[name].zero_grad(set_to_none=True)

    with torch.inference_mode():
        difference = float((of_theirs() - of_ours()).abs().max())
    return {
        "largest difference": [difference],
        "forward": _ratios(forward, rounds),
        "training step": _ratios(step, rounds),
    }


def _ratios(run: Callable[[str], None], rounds: int) -> list[float]:
    times: dict[str, list[float]] = {"theirs": [], "ours": []}
    for index in range(rounds + 1):
        for name in times:
            begun = time.perf_counter()
            run(name)
            if index:  # the first round warms up
                times[name].append(time.perf_counter() - begun)
    return [theirs / ours for theirs, ours in zip(times["theirs"], times["ours"], strict=True)]


def main() -> None:
    """Measure all cases and print the medians."""
    given = option_parser(__doc__, rounds=7).parse_args()
    torch.set_num_threads(given.threads)
    found = {name: measure(case, given.rounds) for name, case in CASES.items()}
    medians = {name: {key: statistics.median(own) for key, own in values.items()} for name, values in found.items()}
    print(json.dumps(medians, indent=1))
    result = {"threads": given.threads, "medians": medians, "rounds": found}
    write_result(given.output, result, ("torch", "diffusers", "numpy"))


if __name__ == "__main__":
    main()
