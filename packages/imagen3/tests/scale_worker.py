"""One process of trainings: `python scale_worker.py FOLDER STEPS SHARDS ...`, alone or in a cluster of torch.

Three words are a training of all networks; several trainings run one after the other.
"""

import contextlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from onepaper.accelerator import AcceleratorOptions
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions

from imagen3.config import AutoencoderTerms, SystemConfig, TrainingConfig
from imagen3.data.pictures import load_pictures
from imagen3.models.networks import build_autoencoder, build_denoiser
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.text.encoder import open_encoder
from imagen3.training.autoencoder import train_autoencoder
from imagen3.training.cache import build_cache
from imagen3.training.denoiser import train_denoiser
from imagen3.training.upsampler import train_upsampler

# Adam would make a step of full size of a gradient that is zero but for rounding.
OPTIMIZER = OptimizerOptions(name="sgd", lr=0.1, clip_norm=1.0, ema_decay=0.5, accumulation=2)
TERMS = AutoencoderTerms(adversarial_weight=0.5, start=2, discriminator_width=8, discriminator_layers=2)
SMOKE: SystemConfig = PRESETS["smoke"].config


def main() -> None:
    """Train to a step, with evaluations and checkpoints at every second one."""
    training = TrainingConfig(8, OPTIMIZER, LoopOptions(steps=6))
    config = replace(SMOKE, autoencoder_training=training, denoiser_training=training)
    # The factor of the adversarial term is that of a micro-batch, which holds other rows in two processes.
    whole = replace(config, autoencoder_training=replace(training, optimizer=replace(OPTIMIZER, accumulation=1)))
    pictures = load_pictures(config.data)
    pictures = pictures.subset(np.flatnonzero(pictures.selected))
    torch.manual_seed(0)
    autoencoder = build_autoencoder(config.autoencoder).eval()
    encoder = open_encoder(config.text)
    cache = build_cache(autoencoder, encoder, pictures)
    system = System(config, autoencoder, build_denoiser(config.denoiser), encoder)
    enlarging = replace(PRESETS["sr-smoke"].config, training=training)
    with contextlib.ExitStack() as stack:
        for folder, steps, shards in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3], strict=True):
            # The first one starts the process group, and leaves it at the end.
            accelerator = stack.enter_context(Accelerator(AcceleratorOptions("cpu", threads=1, shards=int(shards))))
            loop = LoopOptions(steps=int(steps), log_every=1, evaluate_every=2, checkpoint_every=2)
            parts = ("autoencoder", "denoiser", "upsampler", "adversarial")
            for part in parts[: 4 if int(shards) == 1 else 3]:  # a discriminator needs whole parameters
                opened = {"paper": "imagen3", "verb": "train", "config": config, "main_process": accelerator.is_main}
                with Run.open(Path(folder) / part, **opened) as run:
                    if part == "denoiser":
                        train_denoiser(config, autoencoder, cache, pictures, run, loop=loop, accelerator=accelerator)
                    elif part == "upsampler":
                        train_upsampler(enlarging, system, pictures, run, loop=loop, accelerator=accelerator)
                    else:
                        terms = TERMS if part == "adversarial" else None
                        own = whole if terms else config
                        train_autoencoder(own, pictures, run, loop=loop, accelerator=accelerator, terms=terms)


if __name__ == "__main__":
    main()
