"""The verb `sweep`: quality, diversity and time of samples by the number of steps and by guidance."""

import itertools

from onepaper.display.gallery import save_samples, write_gallery
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from sed.cli.evaluate import print_rows
from sed.cli.options import SweepOptions
from sed.data.corpus import tokenize
from sed.evaluation.sweeps import Setting, sweep, sweep_figures
from sed.evaluation.tasks import held_out_task, make_evaluators
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import check_same_tokens, open_network


def sweep_verb(call: Invocation) -> None:
    """The verb `sweep`: prints a table, and writes `sweep.json` and a page with figures."""
    options: SweepOptions = call.options
    settings = [Setting(*pair) for pair in itertools.product(options.steps, options.guidance)]
    if options.dry_run:
        print(f"would evaluate {options.samples} samples of {options.task} at {len(settings)} settings")
        return
    use_device(options)
    network = open_network(options.weights, EmbeddingDiffusion)
    scorer = open_network(options.evaluator, AutoregressiveLM)
    check_same_tokens(scorer.codec, network.codec, options.evaluator)
    corpus = tokenize(network.data, network.codec)
    task = held_out_task(network, corpus, options.task, options.samples)
    for setting in settings:  # options are validated before the run folder is created
        network.model.schedule.respaced(setting.steps)
    with call.open_run() as run:
        evaluators = make_evaluators(scorer.model, corpus)
        held_out = evaluators.measure(task.tokens, task.cond_mask)
        rows = sweep(network, evaluators, task, settings, options.sampling, seed=options.seed)
        content = [setting._asdict() | dict(row) for setting, row in rows.items()]
        run.write_json("sweep.json", {"task": options.task, "held-out text": held_out, "samples": content})
        save_samples(run.folder, sweep_figures(rows, held_out))
        page = write_gallery(run.folder, f"{options.task} by {options.weights}, seed {options.seed}")
    print_rows({"held-out text": held_out} | {str(setting): row for setting, row in rows.items()})
    print(f"page: {page}")
