"""The verb `evaluate`: likelihood of documents, or accuracy on the copy task by copy distance."""

import sys
from collections.abc import Iterable

from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.weights import find_weights

from perceiver_ar.cli.options import EvaluateOptions
from perceiver_ar.config import RESERVED, DataConfig
from perceiver_ar.data.corpus import Tokens, check_fits
from perceiver_ar.data.datasets import load_as
from perceiver_ar.data.formats import sample_format
from perceiver_ar.evaluation.copies import COPY_SEQUENCES, evaluate_copies
from perceiver_ar.evaluation.documents import Plan, evaluate_plans, first_tokens, stride_of
from perceiver_ar.pretrained.checkpoints import Network, check_network, open_network


def evaluate_verb(call: Invocation) -> None:
    """The verb `evaluate`: prints the results and writes `evaluation.json`."""
    options: EvaluateOptions = call.options
    use_device(options)
    folder = str(find_weights(options.weights, call.paper.module))
    check_network(folder)
    network = open_network(folder)
    data = options.data.override(network.data)
    if network.codec is None and (unusable := options.document_options()):
        raise UsageError(
            f"'{options.weights}' was trained on the copy task, which is evaluated on new sequences; leave "
            f"{unusable} out"
        )
    what = f"the {options.part} part of {data.dataset}"
    if options.files:
        what = f"{len(options.files)} files"
    elif network.codec is None:
        what = f"{COPY_SEQUENCES} new sequences"
    if options.dry_run:
        print(f"would evaluate {options.weights} on {what}")
        return
    if network.codec is None:
        with call.open_run() as run:
            results = {"copy": evaluate_copies(network.model)}
            run.write_json("evaluation.json", {"weights": options.weights, "data": what, "results": results})
    else:
        plans = make_plans(network, options)
        data_format = sample_format(network.codec, network.model.config)
        if options.files:
            documents = [data_format.encode_file(file) for file in options.files]
            check_symbols(map(str, options.files), documents)
        else:
            documents = load_documents(network, data, options)
            check_symbols((f"document {number} of {what}" for number in range(len(documents))), documents)
        with call.open_run() as run:
            results = evaluate_plans(network.model, network.codec, documents, plans, options.passes_at_once)
            run.write_json("evaluation.json", {"weights": options.weights, "data": what, "results": results})
    print(f"{options.weights} on {what}")
    for name, numbers in results.items():
        print(name)
        for quantity, value in numbers.items():
            whole = quantity in ("tokens", "passes") or abs(value) >= 1e6
            print(f"  {quantity.replace('_', ' '):<44}{f'{value:,.0f}' if whole else f'{value:.4f}':>12}")
    print(f"written: {run.folder / 'evaluation.json'}")


def make_plans(network: Network, options: EvaluateOptions) -> list[Plan]:
    """One plan for each number of latents, all with the same stride, which the smallest number allows.

    Raises:
        UsageError: numbers that do not fit each other or the network.
    """
    config = network.model.config
    context = options.context or config.context_length
    if context > config.context_length:
        raise UsageError(
            f"context is {context}, expected 1 to {config.context_length}, the context length of the network"
        )
    counts = options.latents or (min(config.num_latents, context),)
    if max(counts) > context:
        raise UsageError(f"latents are {max(counts)}, expected 1 to the context, which is {context}")
    stride = options.stride or stride_of(options.mode, min(counts))
    if stride > min(counts):
        raise UsageError(f"stride is {stride}, expected 1 to the fewest latents, which are {min(counts)}")
    return [Plan(latents, stride, context) for latents in counts]


def load_documents(network: Network, data: DataConfig, options: EvaluateOptions) -> list[Tokens]:
    """Documents of a part of a dataset, in the network's tokens.

    Raises:
        UsageError: missing data, or data that do not fit the network.
    """
    assert network.codec is not None
    corpus = load_as(data, network.codec)
    check_fits(network.model.config, corpus.codec, advice=False)
    return first_tokens(getattr(corpus, options.part), options.max_tokens or sys.maxsize)


def check_symbols(names: Iterable[str], documents: Iterable[Tokens]) -> None:
    """Raise `UsageError` unless each document has a symbol besides its start and end."""
    for name, document in zip(names, documents, strict=True):
        if (document < RESERVED).all():
            raise UsageError(f"{name} is empty, expected at least one symbol; leave it out")
