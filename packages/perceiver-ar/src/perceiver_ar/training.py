"""Training: the loss at the latents, summed as in the paper or averaged, in the loop that all papers share."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.data import random_batches
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.steps import JaxState, JaxTask
from onepaper.paper import Invocation
from onepaper.runs import Run
from onepaper.training import fit

from perceiver_ar import copying
from perceiver_ar.config import SOS, ExperimentConfig
from perceiver_ar.corpus import Corpus, Windows, check_fits
from perceiver_ar.datasets import load
from perceiver_ar.evaluation import per_unit
from perceiver_ar.generation import Sampler
from perceiver_ar.model import Loss, PerceiverAR, sequence_loss, take
from perceiver_ar.music import transposed
from perceiver_ar.positions import latent_places
from perceiver_ar.sampling import continuations, sample_files, sampler_of
from perceiver_ar.sharding import MeshAccelerator, model_builder
from perceiver_ar.verb_options import SampleOptions, TrainOptions
from perceiver_ar.weights import Network, save_network

# Sequences of the copy task and windows of documents that an evaluation during training looks at, and the seed that
# keeps the former apart from those trained on and places the latter.
HELD_OUT_SEQUENCES, HELD_OUT_WINDOWS, HELD_OUT_SEED = 64, 64, 2**31

Batch = Mapping[str, Array]


def batch_loss(model: PerceiverAR, batch: Batch, key: PRNGKeyArray | None = None, label_smoothing: float = 0.0) -> Loss:
    """`sequence_loss` of a batch."""
    return sequence_loss(
        model,
        batch["inputs"],
        batch["targets"],
        batch.get("lengths"),
        batch.get("coordinates"),
        key=key,
        label_smoothing=label_smoothing,
    )


def make_loss(config: ExperimentConfig) -> Callable[[PerceiverAR, Batch, PRNGKeyArray], tuple[Array, Array, dict]]:
    """Loss sum, weight and the sum of nats of a batch.

    The weight is the number of targets for the mean; for the sum over a batch it is a constant that adds up to 1 over
    micro-batches (section 3, objective). The logged `nats` are means over targets either way.
    """
    summed, parts = config.loss_reduction == "sum", config.optimizer.accumulation

    def loss(model: PerceiverAR, batch: Batch, key: PRNGKeyArray) -> tuple[Array, Array, dict]:
        found = batch_loss(model, batch, key, config.label_smoothing)
        weight = jnp.float32(1 / parts) if summed else found.targets
        return found.total(config.z_loss), weight, {"nats": weight * found.nats / found.targets}

    return loss


def copy_batches(config: ExperimentConfig, *, seed: int, rank: int = 0, world: int = 1) -> Callable[[int], dict]:
    """Batches of the copy task, functions of the step."""
    model = config.model

    def make(generator: np.random.Generator, batch_size: int) -> dict[str, np.ndarray]:
        events = copying.mirrored(generator, batch_size, model.context_length, model.vocab_size).astype(np.int32)
        lengths = copying.crops(generator, batch_size, model.context_length, model.num_latents).astype(np.int32)
        return {"inputs": events[:, :-1], "targets": events[:, 1:], "lengths": lengths}

    return random_batches(make, config.batch_size, seed=seed, rank=rank, world=world)


def copy_accuracy(
    model: PerceiverAR, events: Int[np.ndarray, "batch length"], *, context: int | None = None
) -> Float[np.ndarray, " mirrored"]:
    """Share of right guesses for each token of the mirrored half and EOS, the nearest copy first.

    The k-th of them stands 2k + 1 tokens after its original.

    Args:
        model: of the copy task.
        events: sequences as `copying.mirrored` makes them.
        context: the most inputs that a guess may rest on, the control that cannot see far; None: all.
    """
    config = model.config
    length = events.shape[1]
    reach = length - 1 if context is None else context
    latents = min(config.num_latents, reach)
    graph, params = nnx.split(model)

    @jax.jit
    def hits(params: Any, inputs: Array, targets: Array, lengths: Array, numbers: Array | None) -> Array:
        logits = nnx.merge(graph, params)(inputs, lengths, numbers, num_latents=latents)
        return (logits.argmax(axis=-1) == take(targets, latent_places(lengths, latents))).mean(axis=0)

    right = np.zeros(length // 2)
    width = reach
    for first in range(length // 2 - 1, length - 1, latents):
        end = min(first + latents, length - 1)
        start = max(0, end - reach)
        inputs, targets = np.zeros((2, len(events), width), np.int32)
        inputs[:, : end - start], targets[:, : end - start] = events[:, start:end], events[:, start + 1 : end + 1]
        # A hidden prefix does not move what is left: inputs keep the numbers of their places in the sequence.
        numbers = np.zeros((len(events), width, 1), np.int32)
        numbers[:, : end - start, 0] = np.arange(start, end) + 1
        at = jnp.asarray(numbers) if config.adds else None
        lengths = jnp.full(len(events), end - start)
        found = np.asarray(hits(params, jnp.asarray(inputs), jnp.asarray(targets), lengths, at))
        right[first - length // 2 + 1 : end - length // 2 + 1] = found[latents - (end - first) :]
    return right


def document_batches(
    config: ExperimentConfig, corpus: Corpus, *, seed: int, rank: int = 0, world: int = 1
) -> Callable[[int], dict]:
    """Batches of windows of the documents to learn from, functions of the step."""
    return Windows(
        corpus.train,
        config.model,
        corpus.codec,
        config.batch_size,
        least_inputs=config.data.least_inputs,
        seed=seed,
        rank=rank,
        world=world,
        augment=functools.partial(transposed, most=config.data.transpose) if config.data.transpose else None,
    )


def held_out_evaluation(config: ExperimentConfig) -> Callable[[PerceiverAR], dict[str, float]]:
    """What an evaluation during training says, from the same held-out sequences every time.

    Of the copy task the accuracy; of documents the mean nats of the targets of a few windows of the validation part,
    and the same for each byte, value or second. `evaluate` scores whole documents instead.
    """
    if config.data.kind == "copy":
        generator = np.random.default_rng(HELD_OUT_SEED)
        events = copying.mirrored(generator, HELD_OUT_SEQUENCES, config.model.context_length, config.model.vocab_size)
        return lambda model: {"accuracy": float(copy_accuracy(model, events).mean())}
    corpus = load(config.data)
    count = min(config.batch_size, HELD_OUT_WINDOWS)
    windows = Windows(corpus.validation, config.model, corpus.codec, count, seed=HELD_OUT_SEED)
    batches = [windows(step) for step in range(max(1, HELD_OUT_WINDOWS // count))]
    worth: dict[str, float] = {}
    for batch in batches:
        places = np.asarray(latent_places(jnp.asarray(batch["lengths"]), config.model.num_latents))
        for targets, chosen in zip(batch["targets"], places, strict=True):
            for unit, amount in corpus.codec.measure(targets[chosen[chosen >= 0]]).items():
                worth[unit] = worth.get(unit, 0.0) + amount
    worth.pop("words", None)  # of pieces cut off at both ends of a window
    loss = jax.jit(lambda model, batch: batch_loss(model, batch))

    def evaluate(model: PerceiverAR) -> dict[str, float]:
        found = [loss(model, {name: jnp.asarray(array) for name, array in batch.items()}) for batch in batches]
        nats, targets = (sum(float(getattr(part, name)) for part in found) for name in ("nats", "targets"))
        return {"nats": nats / targets, **per_unit(nats, worth)}

    return evaluate


def fitting_corpus(config: ExperimentConfig) -> Corpus | None:
    """The documents to learn from; None for the copy task.

    Raises:
        UsageError: data that are not there, or a model that does not fit them.
    """
    if config.data.kind == "copy":
        copying.check_fits(config.model)
        return None
    corpus = load(config.data)
    check_fits(config.model, corpus.codec)
    return corpus


class Exhibition:
    """What a network in training draws, from the same random numbers every time: files by name.

    Args:
        config: of the training; `samples` sequences are drawn.
        corpus: what their tokens mean.
    """

    def __init__(self, config: ExperimentConfig, corpus: Corpus) -> None:
        self.config, self.codec, self.options = config, corpus.codec, SampleOptions(count=config.samples)
        self._sampler: Sampler | None = None

    def __call__(self, model: PerceiverAR) -> dict[str, bytes]:
        """Samples of these weights."""
        network = Network(model, self.config.data, self.codec)
        if self._sampler is None:
            self._sampler = sampler_of(network, self.options.sampling)
        self._sampler.use(model)
        prompts = [np.array([SOS])] * self.options.count
        samples = continuations(network, self._sampler, prompts, self.options.tokens, self.options.seed)
        return sample_files(network, samples)[0]


def train(
    config: ExperimentConfig, run: Run | None = None, *, seed: int = 0, accelerator: Accelerator | None = None
) -> PerceiverAR:
    """Train from a configuration, from the newest checkpoint of `run` if it has one; the averaged model.

    Raises:
        UsageError: data that are not there, or a model that does not fit them.
    """
    accelerator = accelerator or Accelerator()
    processes = {"rank": accelerator.rank, "world": accelerator.world}
    corpus = fitting_corpus(config)
    if corpus is None:
        batches = copy_batches(config, seed=seed, **processes)
    else:
        batches = document_batches(config, corpus, seed=seed, **processes)
    task = JaxTask(
        model_builder(config.model, accelerator),
        make_loss(config),
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )
    judge = held_out_evaluation(config)

    def evaluate(state: JaxState) -> dict[str, float]:
        model = task.model(state)
        assert isinstance(model, PerceiverAR)
        return judge(model)

    show = None if corpus is None or accelerator.world > 1 else Exhibition(config, corpus)

    def draw(state: JaxState) -> dict[str, bytes]:
        model = task.model(state)
        assert isinstance(model, PerceiverAR)
        return show(model) if show is not None else {}

    fitted = fit(
        task,
        batches,
        config.loop,
        run,
        seed=seed,
        evaluate=evaluate,
        draw=draw if show is not None and config.samples else None,
        processes=accelerator,
    )
    model = task.model(fitted.state)
    assert isinstance(model, PerceiverAR)
    return model


def train_verb(call: Invocation) -> None:
    """The verb `train`: a run folder with logs, checkpoints and `pretrained/`."""
    config: ExperimentConfig = call.config
    options: TrainOptions = call.options
    if options.dry_run:
        print(f"would train {call.preset}: {config.loop.steps} steps of batch {config.batch_size}")
        return
    with MeshAccelerator(options, tensor=options.tensor, context=options.context) as accelerator:
        corpus = fitting_corpus(config)  # mistakes are told before there is a run
        with call.open_run(main_process=accelerator.is_main) as run:
            model = train(config, run, seed=options.seed, accelerator=accelerator)
            if accelerator.is_main:
                codec = None if corpus is None else corpus.codec
                folder = save_network(run.folder / "pretrained", Network(model, config.data, codec))
                print(f"weights: {folder}")
                print(f"go on: onepaper {call.paper.name} sample --weights {folder}")
