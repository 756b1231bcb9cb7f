"""The verb `evaluate`: loss on held-out text, and quality and diversity of completions."""

from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from cdcd.cli.options import EvaluateOptions
from cdcd.data.corpus import load
from cdcd.evaluation.completions import (
    complete_causally,
    evaluate_completions,
    held_out_prompts,
    make_evaluators,
)
from cdcd.evaluation.held_out import evaluate_held_out
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.networks import check_same_tokens, open_network


def evaluate_verb(call: Invocation) -> None:
    """The verb `evaluate`: prints the results and writes `evaluation.json`."""
    options: EvaluateOptions = call.options
    if options.dry_run:
        print(f"would evaluate {options.prompts} completions of {options.weights} by {options.evaluator}")
        return
    use_device(options)
    network = open_network(options.weights, CategoricalDiffusion)
    scorer = open_network(options.evaluator, AutoregressiveLM)
    check_same_tokens(scorer.codec, network.codec, options.evaluator)
    baseline = open_network(options.baseline, AutoregressiveLM) if options.baseline else None
    if baseline is not None:
        check_same_tokens(baseline.codec, network.codec, options.baseline)
    corpus = load(network.data, network.model.config.vocab_size)
    prompts = held_out_prompts(corpus, network.model.config.length, options.prompts)
    with call.open_run() as run:
        evaluators = make_evaluators(scorer.model, corpus)
        results = {
            "held-out text": evaluators.measure(prompts.tokens, prompts.mask),
            options.weights: evaluate_completions(
                network.model, prompts, evaluators, options.sampling, seed=options.seed
            ),
        }
        if baseline is not None:
            tokens = complete_causally(baseline.model, prompts, seed=options.seed)
            results[options.baseline] = evaluators.measure(tokens, prompts.mask)
        loss = evaluate_held_out(network.model, prompts.tokens)
        run.write_json("evaluation.json", {"completions": results, "loss": loss})
    names = list(results["held-out text"])
    print(f"{'':<20}" + "".join(f"{name:>20}" for name in results))
    for name in names:
        print(f"{name.replace('_', ' '):<20}" + "".join(f"{row[name]:>20.4f}" for row in results.values()))
    for name, value in loss.items():
        print(f"{name.replace('_', ' '):<20}{value:>20.4f}")
    print(f"written: {run.folder / 'evaluation.json'}")
