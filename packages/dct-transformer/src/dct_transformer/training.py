"""Training: the mean negative log-likelihood of the triples of random chunks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from onepaper.data import Prefetch
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Hook, fit
from torch import Tensor
from torch.distributed.tensor import DTensor

from dct_transformer.config import ExperimentConfig
from dct_transformer.data.chunks import Chunk
from dct_transformer.data.examples import centre_examples, chunk_batches
from dct_transformer.data.images import Images
from dct_transformer.data.stored_images import open_pictures
from dct_transformer.evaluation.exact_likelihood import likelihood
from dct_transformer.models.dct_transformer import DCTransformer

# Held-out images of the evaluations during training.
HELD_OUT = 64


def loss(model: DCTransformer, batch: Chunk, generator: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Summed nats of the counted triples, their number, and the sums of the three factors."""
    nats = model(batch)
    factors = {"channels": nats.channels.sum(), "positions": nats.positions.sum(), "values": nats.values.sum()}
    return nats.total().sum(), batch.counted.sum(), factors


def load_images(config: ExperimentConfig) -> Images:
    """The images of a training, checked against the network.

    Raises:
        UsageError: no images, or another number of classes than the network has.
    """
    images = open_pictures(config.data, config.model)
    if config.model.classes and len(images.classes) != config.model.classes:
        raise UsageError(
            f"the images have {len(images.classes)} classes, expected {config.model.classes}; set --model.classes"
        )
    return images


def train(
    config: ExperimentConfig,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    images: Images | None = None,
    draw: Callable[[DCTransformer], Mapping[str, bytes]] | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> DCTransformer:
    """Train, resuming from the newest checkpoint of `run` if there is one; the network, with averaged weights if kept.

    Args:
        config: data, network and training.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the weights, the order and changes of the images, and the dropout.
        accelerator: device, precision and processes; the best device by default.
        images: of the training; those of the configuration by default.
        draw: samples of a network as files by name, asked for with every evaluation of a run.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: no images, or images that do not fit the network.
    """
    accelerator = accelerator or Accelerator()
    images = images or load_images(config)
    task = TorchTask(
        lambda: DCTransformer(config.model),
        loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )
    held_out = centre_examples(images.part(held_out=True), config.model)[:HELD_OUT]

    def evaluate(state: TorchState) -> dict[str, float]:
        with task.evaluating(state) as model:
            return likelihood(_network(model), held_out).summary(config.model)

    def draw_from(state: TorchState) -> Mapping[str, bytes]:
        assert draw is not None
        with task.evaluating(state) as model:
            return draw(_network(model))

    batches = chunk_batches(
        images.part(held_out=False),
        config.data,
        config.model,
        config.batch_size,
        seed=seed,
        rank=accelerator.rank,
        world=accelerator.world,
    )
    with Prefetch(batches) as prefetched:
        fitted = fit(
            task,
            prefetched,
            config.loop,
            run,
            seed=seed,
            evaluate=evaluate,
            draw=draw_from if draw is not None else None,
            hooks=hooks,
            processes=accelerator,
        )
    network = DCTransformer(config.model)
    with task.evaluating(fitted.state) as trained:
        network.load_state_dict(_network(trained).state_dict())
    return network.eval()


def _network(model: Any) -> DCTransformer:
    """The model itself; of a sharded one a complete copy, since FSDP gathers parameters only for its own passes."""
    assert isinstance(model, DCTransformer)
    state = model.state_dict()
    if not any(isinstance(value, DTensor) for value in state.values()):
        return model
    whole = {name: value.full_tensor() if isinstance(value, DTensor) else value for name, value in state.items()}
    with torch.random.fork_rng(devices=[]):
        network = DCTransformer(model.config)
    network.load_state_dict(whole)
    return network.to(whole["begin"].device).eval()
