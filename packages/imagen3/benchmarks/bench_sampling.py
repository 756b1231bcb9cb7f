"""25 steps of sampling 16 pictures of 32 x 32 pixels, beside imagen-pytorch with a network of about equal size.

    python benchmarks/bench_sampling.py [--rounds 3] [--threads 1] [--output FILE]

Both run in one process and take turns, and processor time is counted, so that the load of the machine meets both alike.
The numbers are ratios of times, imagen-pytorch over ours: above 1 ours is faster. Ours works on latents and includes
encoding of the texts and decoding of the pictures; theirs works on pixels, as a base network of Saharia et al. (2022),
from encoded texts.
"""

import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock, patch

import datasets  # noqa: F401 - it looks for torchvision, which is replaced below where there is none
import torch
import transformers
from onepaper.benchmark import option_parser, write_result

from imagen3.config import SamplingOptions
from imagen3.pretrained.systems import open_system
from imagen3.sampling import generate

PICTURES, SIDE, GUIDANCE = 16, 32, 3.0
PROMPTS = ["a red apple with a green leaf"] * PICTURES


def load_peer() -> Any:
    """The library; without torchvision, by which it reads and writes files, and without the configuration of T5.

    Raises:
        ImportError, RuntimeError: it is not installed, or a torchvision for another build of torch is.
    """
    if importlib.util.find_spec("torchvision") is None:
        sys.modules |= {f"torchvision{part}": MagicMock() for part in ("", ".transforms", ".utils")}
    # Otherwise it asks a server for the width of the text encoder.
    with patch.object(transformers.T5Config, "from_pretrained", return_value=transformers.T5Config()):
        import imagen_pytorch
    return imagen_pytorch


def theirs(steps: int) -> tuple[int, Callable[[], Any]]:
    """Parameters of their network, and a call that samples."""
    library = load_peer()
    unet = library.Unet(
        dim=32, text_embed_dim=128, cond_dim=64, dim_mults=(1, 2, 4), num_resnet_blocks=1,
        layer_attns=(False, False, True), layer_cross_attns=(False, False, True), attn_heads=4, attn_dim_head=32,
    )  # fmt: skip
    model = library.Imagen(unets=(unet,), image_sizes=(SIDE,), timesteps=steps, text_embed_dim=128)
    texts = {"text_embeds": torch.randn(PICTURES, 8, 128), "text_masks": torch.ones(PICTURES, 8, dtype=torch.bool)}
    count = sum(parameter.numel() for parameter in unet.parameters())
    return count, lambda: model.sample(**texts, cond_scale=GUIDANCE, use_tqdm=False)


def ours(steps: int) -> tuple[int, Callable[[], Any]]:
    """The same of the system that ships."""
    system = open_system()
    count = sum(parameter.numel() for parameter in system.denoiser.parameters())
    options = SamplingOptions(steps=steps, guidance=GUIDANCE)
    return count, lambda: generate(system, PROMPTS, options, size=(SIDE, SIDE))


def main() -> None:
    """Measure in turns and print the median."""
    given = option_parser(__doc__, rounds=3, steps=25).parse_args()
    torch.set_num_threads(given.threads)
    try:
        calls = {"theirs": theirs(given.steps), "ours": ours(given.steps)}
    except (ImportError, RuntimeError) as error:
        print(f"imagen-pytorch does not load ({error}); nothing is compared")
        return
    times: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(given.rounds + 1):
        for name, (_, sample) in calls.items():
            begun = time.process_time()
            sample()
            if index:  # the first round warms up
                times[name].append(time.process_time() - begun)
    ratios = [theirs / ours for theirs, ours in zip(times["theirs"], times["ours"], strict=True)]
    result = {
        "parameters": {name: count for name, (count, _) in calls.items()},
        "median": statistics.median(ratios),
        "threads": given.threads,
        "steps": given.steps,
        "seconds": times,
    }
    print(json.dumps(result, indent=1))
    write_result(given.output, result, ("torch", "imagen-pytorch", "numpy"))


if __name__ == "__main__":
    main()
