"""The verb `evaluate`: whole documents, every token once, in the units that people compare; copies by distance."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from perceiver_ar import copying
from perceiver_ar.corpus import Codec, Documents, Tokens, check_fits
from perceiver_ar.dataset_options import DataConfig
from perceiver_ar.datasets import load_as
from perceiver_ar.evaluation import by_inputs, per_unit, score, windows
from perceiver_ar.model import PerceiverAR
from perceiver_ar.sampling import read_document
from perceiver_ar.training import HELD_OUT_SEED, copy_accuracy
from perceiver_ar.verb_options import EvaluateOptions
from perceiver_ar.weights import Network, open_network

# Sequences of the copy task that the verb looks at.
COPY_SEQUENCES = 512


def stride_of(mode: str, latents: int) -> int:
    """Tokens that one pass scores, by the mode (section 3, evaluation)."""
    return {"incremental": 1, "block": max(1, latents // 2), "strided": latents - max(1, latents // 2) + 1}[mode]


def first_tokens(documents: Documents, most: int) -> list[Tokens]:
    """Documents in turn until they hold `most` targets, the last one cut; all of them for 0."""
    found: list[Tokens] = []
    left = most or sum(documents.sizes) * 2 + 2 * len(documents)
    for number in range(len(documents)):
        if left <= 0:
            break
        found.append(documents[number][: left + 1])
        left -= len(found[-1]) - 1
    return found


def judge(
    model: PerceiverAR,
    codec: Codec,
    documents: Sequence[Tokens],
    *,
    stride: int,
    num_latents: int | None = None,
    context: int | None = None,
    batch_size: int = 8,
) -> dict[str, float]:
    """Nats of every target of the documents, each counted once, as means and in the units of the codec.

    Args:
        model: the network.
        codec: of the documents.
        documents: with SOS in front.
        stride: as `score` takes it, and so are the others.
        num_latents: N of the evaluation.
        context: the most inputs of a pass.
        batch_size: passes at once.
    """
    config = model.config
    nats = score(
        model,
        documents,
        stride=stride,
        num_latents=num_latents,
        context=context,
        coordinates=codec.coordinates if config.needs_coordinates else None,
        batch_size=batch_size,
    )
    total = float(sum(part.sum() for part in nats))
    tokens = sum(len(part) for part in nats)
    worth: dict[str, float] = {}
    for document in documents:
        for unit, amount in codec.measure(document[1:]).items():
            worth[unit] = worth.get(unit, 0.0) + amount
    passes = len(windows([len(part) for part in nats], context or config.context_length, stride))
    found = {"tokens": float(tokens), "passes": float(passes), "nats_per_token": total / tokens}
    found |= per_unit(total, worth)
    for (low, high), (mean, _) in by_inputs(nats).items():
        found[f"nats_per_token_after_{low}_to_{high - 1}"] = mean
    return found


def evaluate_copies(model: PerceiverAR) -> dict[str, float]:
    """Accuracy of the mirrored half by the distance of the copy, with all inputs and with as many as latents only."""
    config = model.config
    copying.check_fits(config)
    events = copying.mirrored(
        np.random.default_rng(HELD_OUT_SEED), COPY_SEQUENCES, config.context_length, config.vocab_size
    )
    whole, blind = copy_accuracy(model, events), copy_accuracy(model, events, context=config.num_latents)
    found = {"accuracy": float(whole.mean()), "accuracy_without_prefix": float(blind.mean())}
    for group in np.array_split(np.arange(len(whole) - 1), min(4, len(whole) - 1)):
        name = f"at_distance_{2 * group[0] + 1}_to_{2 * group[-1] + 1}"
        found[name] = float(whole[group].mean())
        found[f"{name}_without_prefix"] = float(blind[group].mean())
    return found


def evaluate_verb(call: Invocation) -> None:
    """The verb `evaluate`: prints and writes `evaluation.json`."""
    options: EvaluateOptions = call.options
    use_device(options)
    network = open_network(options.weights)
    data = options.data.instead_of(network.data)
    if network.codec is None and (told := options.about_documents()):
        raise UsageError(f"'{options.weights}' learnt to copy, which is judged on fresh sequences; leave {told} out")
    what = f"the {options.part} part of {data.dataset}"
    if options.files:
        what = f"{len(options.files)} files"
    elif network.codec is None:
        what = f"{COPY_SEQUENCES} fresh sequences"
    if options.dry_run:
        print(f"would evaluate {options.weights} on {what}")
        return
    if network.codec is None:
        with call.open_run() as run:
            results = {"copy": evaluate_copies(network.model)}
            run.write_json("evaluation.json", {"weights": options.weights, "data": what, "results": results})
    else:
        plans = planned(network, options)
        documents = [read_document(network, file) for file in options.files] or chosen_documents(network, data, options)
        with call.open_run() as run:
            results = evaluate_documents(network, network.codec, documents, plans, options.passes_at_once)
            run.write_json("evaluation.json", {"weights": options.weights, "data": what, "results": results})
    print(f"{options.weights} on {what}")
    for name, numbers in results.items():
        print(name)
        for quantity, value in numbers.items():
            whole = quantity in ("tokens", "passes") or abs(value) >= 1e6
            print(f"  {quantity.replace('_', ' '):<44}{f'{value:,.0f}' if whole else f'{value:.4f}':>12}")
    print(f"written: {run.folder / 'evaluation.json'}")


class Plan(NamedTuple):
    """How documents are scored."""

    latents: int
    stride: int
    context: int


def planned(network: Network, options: EvaluateOptions) -> list[Plan]:
    """One plan for each number of latents asked for, all with the stride of the smallest, so that one thing changes.

    Raises:
        UsageError: numbers that do not fit together or the network, before anything is computed.
    """
    config = network.model.config
    context = options.context or config.context_length
    if context > config.context_length:
        raise UsageError(f"context is {context}, expected 1 to {config.context_length}, what the network can read")
    counts = options.latents or (min(config.num_latents, context),)
    if max(counts) > context:
        raise UsageError(f"latents are {max(counts)}, expected 1 to the context, which is {context}")
    stride = options.stride or stride_of(options.mode, min(counts))
    if stride > min(counts):
        raise UsageError(f"stride is {stride}, expected 1 to the fewest latents, which are {min(counts)}")
    return [Plan(latents, stride, context) for latents in counts]


def chosen_documents(network: Network, data: DataConfig, options: EvaluateOptions) -> list[Tokens]:
    """Documents of a part of a dataset, in the network's tokens.

    Raises:
        UsageError: data that are not there, or do not fit the network.
    """
    assert network.codec is not None
    corpus = load_as(data, network.codec)
    check_fits(network.model.config, corpus.codec, advice=False)
    return first_tokens(getattr(corpus, options.part), options.max_tokens)


def evaluate_documents(
    network: Network, codec: Codec, documents: Sequence[Tokens], plans: Sequence[Plan], passes_at_once: int = 8
) -> dict[str, dict[str, float]]:
    """`judge` for each plan, by its description."""
    return {
        f"{plan.latents} latents, stride {plan.stride}, context {plan.context}": judge(
            network.model,
            codec,
            documents,
            stride=plan.stride,
            num_latents=plan.latents,
            context=plan.context,
            batch_size=passes_at_once,
        )
        for plan in plans
    }
