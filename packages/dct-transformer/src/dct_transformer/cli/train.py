"""The verb `train`."""

from collections.abc import Mapping

from onepaper.data import write_sums
from onepaper.display.file_bytes import picture_png
from onepaper.paper import Invocation
from onepaper.runs import check_writable
from onepaper.torch.accelerator import Accelerator

from dct_transformer.cli.options import TrainOptions
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.pretrained.networks import save_network
from dct_transformer.sampling import draw_images
from dct_transformer.training import load_images, train

# Pictures drawn at every evaluation.
PREVIEWS = 4


def train_verb(call: Invocation) -> None:
    """Train a preset into a run folder with logs, checkpoints and `pretrained/`."""
    options: TrainOptions = call.options
    if options.dry_run:
        print(f"would train {call.preset}: {call.config.loop.steps} steps of batch {call.config.batch_size}")
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
