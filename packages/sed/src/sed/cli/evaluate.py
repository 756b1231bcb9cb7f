"""The verb `evaluate`: quality and diversity of samples of each task, a page of them, and the denoising curve."""

from collections.abc import Mapping

import numpy as np
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from sed.cli.options import EvaluateOptions
from sed.config import TASKS
from sed.data.corpus import strip_pads, tokenize
from sed.evaluation.held_out import evaluate_denoising
from sed.evaluation.tasks import complete, complete_causally, held_out_task, make_evaluators, task_files
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import check_same_tokens, open_network
from sed.sampling import Sampler

# Samples of each task on the page.
SHOWN = 10


def evaluate_verb(call: Invocation) -> None:
    """The verb `evaluate`: prints the results, and writes `evaluation.json` and a page of samples of each task."""
    options: EvaluateOptions = call.options
    if options.dry_run:
        print(f"would evaluate {options.samples} samples of each task of {options.weights} by {options.evaluator}")
        return
    use_device(options)
    network = open_network(options.weights, EmbeddingDiffusion)
    scorer = open_network(options.evaluator, AutoregressiveLM)
    check_same_tokens(scorer.codec, network.codec, options.evaluator)
    baseline = open_network(options.baseline, AutoregressiveLM) if options.baseline else None
    if baseline is not None:
        check_same_tokens(baseline.codec, network.codec, options.baseline)
    corpus = tokenize(network.data, network.codec)
    tasks = {name: held_out_task(network, corpus, name, options.samples) for name in TASKS}
    Sampler(network.model, options.sampling)  # options are validated before the run folder is created
    with call.open_run() as run:
        evaluators = make_evaluators(scorer.model, corpus)
        results = {"held-out text": evaluators.measure(tasks["unconditional"].tokens)}
        for name, task in tasks.items():
            tokens = complete(network, task, options.sampling, seed=options.seed)
            results[name] = evaluators.measure(tokens, task.cond_mask)
            save_samples(run.folder / name, task_files(network.codec, tokens[:SHOWN], task))
            if baseline is not None:
                # A causal model has no padding, neither in what is given.
                text, given = strip_pads(task.tokens, task.cond_mask)
                tokens = complete_causally(
                    baseline.model, task._replace(tokens=text, cond_mask=given), seed=options.seed
                )
                results[f"{name}, {options.baseline}"] = evaluators.measure(tokens, given)
        curve = evaluate_denoising(network.model, tasks["unconditional"].tokens)
        run.write_json("evaluation.json", {"samples": results, "denoising": curve})
        page = write_gallery(run.folder, f"{options.weights}, seed {options.seed}: samples of each task")
    print_rows(results)
    print("denoising: " + ", ".join(f"{name} {np.round(value, 4)}" for name, value in curve.items()))
    print(f"written: {run.folder / 'evaluation.json'}; page: {page}")


def print_rows(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print a table of measures, by the names of the longest row."""
    names = list(max(rows.values(), key=len))
    width, widths = max(map(len, rows)) + 2, [max(10, len(name) + 2) for name in names]
    print(" " * width + "".join(f"{name.replace('_', ' '):>{size}}" for name, size in zip(names, widths, strict=True)))
    for title, row in rows.items():
        cells = (f"{row[name]:.4f}" if name in row else "" for name in names)
        print(f"{title:<{width}}" + "".join(f"{cell:>{size}}" for cell, size in zip(cells, widths, strict=True)))
