"""The verb `train`."""

from dataclasses import replace

from onepaper.data import write_sums
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import check_writable
from onepaper.torch.accelerator import Accelerator

from imagen3.cli.options import TrainOptions
from imagen3.config import SystemConfig, UpsamplerConfig
from imagen3.data.pictures import Pictures, folder_pictures
from imagen3.data.scenes import training_pictures
from imagen3.pretrained.systems import open_system, save_system
from imagen3.pretrained.upsamplers import save_upsampler
from imagen3.text.encoder import TextEncoder, open_encoder
from imagen3.training.recipe import check_start, train_system
from imagen3.training.upsampler import train_upsampler


def train_verb(call: Invocation) -> None:
    """Train a system or an upsampler into a run folder, with logs, checkpoints and `pretrained/`."""
    config, options = call.config, call.options
    assert isinstance(options, TrainOptions)
    if options.export is not None and not options.dry_run:
        check_writable(options.export, "--export")
    if isinstance(config, UpsamplerConfig):
        _train_upsampler(call, config, options)
        return
    assert isinstance(config, SystemConfig)
    if options.dry_run:
        print(
            f"would train {call.preset}: {config.autoencoder_training.loop.steps} steps of the autoencoder, "
            f"{config.denoiser_training.loop.steps} of the denoiser"
        )
        return
    start = open_system(options.start) if options.start else None
    if start is not None:
        check_start(config, start.config)
    with Accelerator(options) as accelerator:
        # Inputs are validated before the run folder is created.
        if options.aspect_ratios:
            pictures = folder_pictures(config.data, config.autoencoder.factor * config.denoiser.patch)
        else:
            pictures = training_pictures(config.data)
        encoder = open_encoder(config.text)
        if accelerator.is_main:
            _say_what_is_left_out(pictures, encoder, config.text.max_tokens)
        with call.open_run(main_process=accelerator.is_main) as run:
            system = train_system(
                config,
                run,
                pictures=pictures,
                seed=options.seed,
                accelerator=accelerator,
                max_minutes=options.max_minutes,
                terms=options.terms,
                start=start,
                encoder=encoder,
            )
            if not accelerator.is_main:
                return
            if system is None:
                print("the time ended before the denoiser; the same command goes on")
                return
            print(f"weights: {save_system(run.folder / 'pretrained', system)}")
            if options.export is not None:
                print(f"weights: {save_system(options.export, system, half=True)}")
                write_sums(options.export)
            print(f"next: onepaper {call.paper.name} sample --weights {run.folder} --prompt 'a tomato'")


def _say_what_is_left_out(pictures: Pictures, encoder: TextEncoder, max_tokens: int) -> None:
    if pictures.left_out:
        print(f"{pictures.left_out:,} duplicates are left out, {len(pictures.pixels):,} pictures remain")
    texts = [caption.text for own in pictures.captions for caption in own]
    if cut := encoder.count_cut(texts):
        print(f"{cut:,} of {len(texts):,} captions are longer than text.max_tokens, {max_tokens}; the rest is cut")


def _train_upsampler(call: Invocation, config: UpsamplerConfig, options: TrainOptions) -> None:
    if options.dry_run:
        print(f"would train {call.preset}: {config.training.loop.steps} steps of an upsampler for {config.system}")
        return
    if options.aspect_ratios or options.start:
        raise UsageError("an upsampler learns from squares and from nothing; leave out --aspect-ratios and --start")
    with Accelerator(options) as accelerator:
        system, pictures = open_system(config.system), training_pictures(config.data)
        if accelerator.is_main:
            _say_what_is_left_out(pictures, system.encoder, system.config.text.max_tokens)
        with call.open_run(main_process=accelerator.is_main) as run:
            loop = replace(config.training.loop, max_minutes=options.max_minutes)
            upsampler, finished = train_upsampler(
                config, system, pictures, run, loop=loop, seed=options.seed, accelerator=accelerator
            )
            if not accelerator.is_main:
                return
            print(f"weights: {save_upsampler(run.folder / 'pretrained', upsampler)}")
            if options.export is not None:
                print(f"weights: {save_upsampler(options.export, upsampler, half=True)}")
                write_sums(options.export)
            words = "sample --upscale 2 --upsampler" if finished else "train with the same options goes on in"
            print(f"next: onepaper {call.paper.name} {words} {run.folder}")
