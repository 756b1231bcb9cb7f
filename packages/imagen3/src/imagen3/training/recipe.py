"""The recipe of a system: autoencoder, cached features, denoiser."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onepaper.config import differences, to_dict
from onepaper.display.file_bytes import picture_png, tile_pictures
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.state_files import model_tensors, save_pretrained
from onepaper.training import Hook
from onepaper.training.stages import Stage, run_stages
from torch import nn

from imagen3.config import AutoencoderTerms, SystemConfig
from imagen3.data.pictures import Pictures
from imagen3.data.scenes import training_pictures
from imagen3.models.networks import open_network
from imagen3.pretrained.systems import System
from imagen3.sampling import generate
from imagen3.text.encoder import TextEncoder, open_encoder
from imagen3.training.autoencoder import train_autoencoder
from imagen3.training.cache import CACHE_NAME, build_cache, read_cache, save_cache
from imagen3.training.denoiser import train_denoiser

AUTOENCODER, CACHE, DENOISER = "autoencoder", "cache", "denoiser"
WEIGHTS = ("model.safetensors", "config.json")

# Samples over training: so many original captions of pictures that are learned from, and of held-out ones.
SHOWN = 8


def train_system(
    config: SystemConfig,
    run: Run,
    *,
    pictures: Pictures | None = None,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    max_minutes: float = 0.0,
    hooks: Sequence[Hook[Any]] = (),
    terms: AutoencoderTerms | None = None,
    start: System | None = None,
    encoder: TextEncoder | None = None,
) -> System | None:
    """Train all stages below the folder of `run`; the same command skips what is done and resumes the rest.

    Args:
        config: of the system.
        run: folder of the recipe.
        pictures: those of the configuration, if they are loaded already.
        seed: of all stages.
        accelerator: device, precision and processes.
        max_minutes: of this command, shared out over the stages; 0 sets no limit.
        hooks: of both trainings, called as `hook(step, state, row)` after each log row.
        terms: further terms of the loss of the autoencoder.
        start: a system whose training this one continues, e.g. with larger pictures: its autoencoder is kept, and the
            denoiser begins with its weights.
        encoder: that of the configuration, if it is opened already.

    Returns:
        The system, or None where the time ended before the denoiser had begun.

    Raises:
        UsageError: missing data, a folder of another configuration, or a start with other networks.
    """
    if start is not None:
        check_start(config, start.config)
    accelerator = accelerator or Accelerator()
    pictures = pictures or training_pictures(config.data)
    encoder = encoder or open_encoder(config.text)

    def autoencoder_stage(part: Run, minutes: float) -> bool:
        if start is not None:
            if accelerator.is_main:
                save_pretrained(part.folder, start.autoencoder, config.autoencoder)
            return True
        loop = replace(config.autoencoder_training.loop, max_minutes=minutes)
        model, finished = train_autoencoder(
            config, pictures, part, loop=loop, seed=seed, accelerator=accelerator, hooks=hooks, terms=terms
        )
        if accelerator.is_main:
            save_pretrained(part.folder, model, config.autoencoder)
        return finished

    def cache_stage(part: Run, minutes: float) -> bool:
        autoencoder = open_network(run.folder / AUTOENCODER)
        if accelerator.is_main:
            save_cache(part.folder, build_cache(autoencoder.to(accelerator.device), encoder, pictures))
        return True

    def denoiser_stage(part: Run, minutes: float) -> bool:
        autoencoder = open_network(run.folder / AUTOENCODER)
        loop = replace(config.denoiser_training.loop, max_minutes=minutes)

        def draw(denoiser: nn.Module) -> dict[str, bytes]:
            return draw_samples(System(config, autoencoder, denoiser, encoder), pictures)

        model, finished = train_denoiser(
            config,
            autoencoder,
            read_cache(run.folder / CACHE),
            pictures,
            part,
            loop=loop,
            seed=seed,
            accelerator=accelerator,
            draw=draw if accelerator.world == 1 else None,
            hooks=hooks,
            start=start and start.denoiser,
        )
        if accelerator.is_main:
            save_pretrained(part.folder, model, config.denoiser)
        return finished

    run_stages(
        run,
        [
            Stage(AUTOENCODER, autoencoder_identity(config, terms, start), autoencoder_stage, outputs=WEIGHTS),
            Stage(CACHE, config.text, cache_stage, inputs=(AUTOENCODER,), outputs=(CACHE_NAME,)),
            Stage(DENOISER, config, denoiser_stage, inputs=(AUTOENCODER, CACHE), outputs=WEIGHTS),
        ],
        max_minutes=max_minutes,
        processes=accelerator,
    )
    if not (run.folder / DENOISER / WEIGHTS[0]).is_file():
        return None
    return System(config, open_network(run.folder / AUTOENCODER), open_network(run.folder / DENOISER), encoder)


def check_start(config: SystemConfig, start: SystemConfig) -> None:
    """Raise `UsageError` unless a training may continue one of `start`: networks and prediction are equal."""
    parts = [{"prediction": own.objective.prediction, **to_dict(own)} for own in (config, start)]
    for name in ("autoencoder", "denoiser", "prediction"):
        if found := differences(*({name: own[name]} for own in parts)):
            raise UsageError(f"the system to start from has another {found[0]}; give the options of its own")


def autoencoder_identity(
    config: SystemConfig, terms: AutoencoderTerms | None = None, start: System | None = None
) -> dict[str, Any]:
    """What the autoencoder depends on, so that one serves several denoisers."""
    whole = to_dict(config)
    names = ("autoencoder", "autoencoder_training", "kl_weight", "edge_weight")
    data = {name: whole["data"][name] for name in ("dataset", "path", "size", "scenes")}
    further: dict[str, Any] = {"terms": to_dict(terms)} if terms and terms != AutoencoderTerms() else {}
    if start is not None:
        digest = hashlib.sha256()
        for model in (start.autoencoder, start.denoiser):
            for value in model_tensors(model).values():
                digest.update(value.cpu().numpy().tobytes())
        further["start"] = digest.hexdigest()
    return {name: whole[name] for name in names} | {"data": data} | further


def draw_samples(system: System, pictures: Pictures) -> dict[str, bytes]:
    """Samples of captions that are learned from (above) and of held-out ones (below), as one picture."""
    rows = []
    for part in ("train", "validation"):
        found = pictures.indices(part, selected=True)
        chosen = found[np.linspace(0, len(found) - 1, SHOWN).astype(int)]
        prompts = [next(caption.text for caption in pictures.captions[number] if caption.original) for number in chosen]
        rows.append(generate(system, prompts))
    return {"samples.png": picture_png(tile_pictures(np.concatenate(rows), SHOWN))}
