"""The verb `evaluate`: whole documents, every token once; copies by distance."""

from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from perceiver_ar.cli.options import EvaluateOptions
from perceiver_ar.config import DataConfig
from perceiver_ar.data.codec import Tokens
from perceiver_ar.data.corpus import check_fits
from perceiver_ar.data.datasets import load_as
from perceiver_ar.evaluation.copies import COPY_SEQUENCES, evaluate_copies
from perceiver_ar.evaluation.documents import Plan, evaluate_documents, first_tokens, stride_of
from perceiver_ar.pretrained.checkpoints import Network, open_network


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
        documents = [network.codec.encode_file(file) for file in options.files] or chosen_documents(
            network, data, options
        )
        with call.open_run() as run:
            results = evaluate_documents(network.model, network.codec, documents, plans, options.passes_at_once)
            run.write_json("evaluation.json", {"weights": options.weights, "data": what, "results": results})
    print(f"{options.weights} on {what}")
    for name, numbers in results.items():
        print(name)
        for quantity, value in numbers.items():
            whole = quantity in ("tokens", "passes") or abs(value) >= 1e6
            print(f"  {quantity.replace('_', ' '):<44}{f'{value:,.0f}' if whole else f'{value:.4f}':>12}")
    print(f"written: {run.folder / 'evaluation.json'}")


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
