"""The verb `train`."""

from collections.abc import Mapping

import numpy as np
from onepaper.data import write_sums
from onepaper.display.file_bytes import picture_png, tile_pictures
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.paper import Invocation, TrainOptions
from onepaper.runs import check_writable
from onepaper.torch.accelerator import Accelerator

from dct_transformer.baselines import draw_baseline, score_baseline, train_baseline
from dct_transformer.config import BaselineConfig
from dct_transformer.data.images import open_images
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.pretrained.networks import save_network
from dct_transformer.sampling import draw_images
from dct_transformer.training import load_images, train

# Pictures drawn at every evaluation.
PREVIEWS = 4
BASELINE_PICTURES = 16


def train_verb(call: Invocation) -> None:
    """Train a preset into a run folder with logs, checkpoints and `pretrained/`."""
    options: TrainOptions = call.options
    if options.dry_run:
        print(f"would train {call.preset}: {call.config.loop.steps} steps of batch {call.config.batch_size}")
        return
    if isinstance(call.config, BaselineConfig):
        _train_baseline(call, call.config)
        return
    if options.export is not None:
        check_writable(options.export, "--export")
    images = load_images(call.config)  # inputs are validated before the run folder is created
    with Accelerator(options) as accelerator, call.open_run(main_process=accelerator.is_main) as run:
        plain = accelerator.world == 1 and call.config.model.condition == "none"
        model = train(
            call.config,
            run,
            seed=options.seed,
            accelerator=accelerator,
            images=images,
            draw=draw_previews if plain else None,
        )
        if accelerator.is_main:
            print(f"weights: {save_network(run.folder / 'pretrained', model, classes=images.classes)}")
            if options.export is not None:
                print(f"weights: {save_network(options.export, model, half=True, classes=images.classes)}")
                write_sums(options.export)
            print(f"next: onepaper {call.paper.name} sample --weights {run.folder}")


def draw_previews(model: DCTransformer) -> Mapping[str, bytes]:
    """A few pictures, as files."""
    return {f"sample-{index}.png": picture_png(image) for index, image in enumerate(draw_images(model, PREVIEWS))}


def _train_baseline(call: Invocation, config: BaselineConfig) -> None:
    """Train, print the bits of held-out pictures, and draw a page of pictures."""
    options: TrainOptions = call.options
    if options.export is not None:
        raise UsageError("--export writes networks of lists of triples; leave it out for baselines")
    images = open_images(config.data, config.height, config.width)
    with Accelerator(options) as accelerator, call.open_run(main_process=accelerator.is_main) as run:
        baseline = train_baseline(config, run, seed=options.seed, accelerator=accelerator, images=images)
        if not accelerator.is_main:
            return
        scores = score_baseline(baseline, images.part(held_out=True)).summary()
        run.write_json("baseline.json", scores)
        drawn = draw_baseline(baseline, BASELINE_PICTURES, seed=options.seed)
        shown = [picture for picture in drawn if picture is not None]
        if shown:
            sheet = tile_pictures(np.stack(shown), 8, gap=2, scale=max(1, 128 // config.height))
            save_samples(run.folder, {"all.png": picture_png(sheet)})
            write_gallery(run.folder, f"{call.preset}, seed {options.seed}")
    print(", ".join(f"{name.replace('_', ' ')} {value:,.3f}" for name, value in scores.items()))
    print(f"{len(shown)} of {len(drawn)} drawn sequences are pictures; written: {run.folder / 'baseline.json'}")
