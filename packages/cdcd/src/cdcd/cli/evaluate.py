"""The verb `evaluate`: loss on held-out text, and quality and diversity of completions."""

import numpy as np
from onepaper.display.file_bytes import figure_png
from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from cdcd.cli.options import EvaluateOptions
from cdcd.data.corpus import load
from cdcd.evaluation.completions import Prompts, complete_causally, held_out_prompts, make_evaluators
from cdcd.evaluation.evaluators import Evaluators
from cdcd.evaluation.frontier import FrontierPoint, draw_frontier, frontier_point, sweep_knob
from cdcd.evaluation.held_out import evaluate_held_out
from cdcd.evaluation.mauve import MAUVE_NAME, evaluator_features, mauve_score
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.networks import check_same_tokens, open_network
from cdcd.sampling import Sampler

FRONTIER_NAME = "frontier.png"


def evaluate_verb(call: Invocation) -> None:
    """The verb `evaluate`: prints the results and writes `evaluation.json`, and the frontier where values are given."""
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
        sampler = Sampler(network.model, options.sampling)
        completions = {
            "held-out text": prompts.tokens,
            options.weights: np.asarray(sampler.sample(prompts.tokens, prompts.mask, seed=options.seed).tokens),
        }
        if baseline is not None:
            completions[options.baseline] = complete_causally(baseline.model, prompts, seed=options.seed)
        results = {name: evaluators.measure(tokens, prompts.mask) for name, tokens in completions.items()}
        missing = _add_mauve(results, completions, scorer.model, options.seed)
        loss = evaluate_held_out(network.model, prompts.tokens)
        frontier = {
            field: sweep_knob(
                network.model, prompts, evaluators, options.sampling, field, values,
                range(options.seed, options.seed + options.repeats),
            )
            for field, values in options.knobs().items()
        }  # fmt: skip
        points = {field: [point._asdict() for point in row] for field, row in frontier.items()}
        run.write_json("evaluation.json", {"completions": results, "loss": loss, "frontier": points})
        if frontier:
            references = {"held-out text": frontier_point("", [results["held-out text"]])}
            if baseline is not None:
                references["autoregressive"] = _baseline_point(baseline.model, prompts, evaluators, options)
            write_atomic(run.folder / FRONTIER_NAME, figure_png(draw_frontier(frontier, references)))
    _print_table(results, loss, frontier)
    if missing:
        print(f"{MAUVE_NAME}: not measured; {missing}")
    print(f"written: {run.folder / 'evaluation.json'}")
    if frontier:
        print(f"frontier: {run.folder / FRONTIER_NAME}")


def _add_mauve(
    results: dict[str, dict[str, float]], completions: dict[str, np.ndarray], model: AutoregressiveLM, seed: int
) -> str:
    """Put MAUVE into the results; returns why it cannot be measured, or nothing."""
    features = {name: evaluator_features(model, tokens) for name, tokens in completions.items()}
    try:
        for name, found in features.items():
            results[name][MAUVE_NAME] = mauve_score(features["held-out text"], found, seed=seed)
    except UsageError as error:
        return str(error)
    return ""


def _baseline_point(
    model: AutoregressiveLM, prompts: Prompts, evaluators: Evaluators, options: EvaluateOptions
) -> FrontierPoint:
    seeds = range(options.seed, options.seed + options.repeats)
    tokens = [complete_causally(model, prompts, seed=seed) for seed in seeds]
    return frontier_point("", [evaluators.measure(found, prompts.mask) for found in tokens])


def _print_table(
    results: dict[str, dict[str, float]], loss: dict[str, float], frontier: dict[str, list[FrontierPoint]]
) -> None:
    print(f"{'':<28}" + "".join(f"{name:>20}" for name in results))
    for name in results["held-out text"]:
        print(f"{name.replace('_', ' '):<28}" + "".join(f"{row[name]:>20.4f}" for row in results.values()))
    for name, value in loss.items():
        print(f"{name.replace('_', ' '):<28}{value:>20.4f}")
    for field, points in frontier.items():
        for point in points:
            name = f"{field.replace('_', ' ')} {point.label}"
            print(f"{name:<28}AR-NLL {point.ar_nll.estimate:.4f}, entropy {point.entropy.estimate:.4f}")
