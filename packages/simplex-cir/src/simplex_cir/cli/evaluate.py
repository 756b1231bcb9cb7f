"""The verb `evaluate`."""

from dataclasses import replace
from pathlib import Path

from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.weights import find_weights

from simplex_cir.cli.options import EvaluateOptions
from simplex_cir.config import SHIPPED, OracleConfig
from simplex_cir.data.loading import check_fits, load
from simplex_cir.evaluation import evaluate_model, oracle_table
from simplex_cir.models.denoiser import SimplexDenoiser
from simplex_cir.presets import PRESETS


def evaluate_verb(call: Invocation) -> None:
    """Compare all samplers on an oracle model, or evaluate bound and samples of a trained network."""
    options: EvaluateOptions = call.options
    use_device(options)
    config = call.config
    # A folder goes before the shipped network of its name, as in `find_weights`.
    if options.weights in SHIPPED and not Path(options.weights).is_dir():
        config = PRESETS[f"laptop-{options.weights}"].config
        if call.config not in (config, PRESETS[call.verb.preset or ""].config):
            raise UsageError(
                f"the network '{options.weights}' is evaluated on the data that it was trained for; leave out --preset "
                "and the options of presets, or give the folder of a training run"
            )
    if isinstance(config, OracleConfig):
        if (options.count, options.points) != (EvaluateOptions.count, EvaluateOptions.points):
            raise UsageError(
                "--count and --points are for networks; --num-draws says how many sequences are drawn here"
            )
        if options.weights:
            raise UsageError(
                f"--weights {options.weights} was given with a preset that has no network; say on which data to "
                "evaluate it, e.g. --preset laptop-splice"
            )
        if options.dry_run:
            print(f"would compare {len(config.samplers)} samplers with {config.num_draws} draws each")
            return
        with call.open_run() as run:
            table = oracle_table(config, options.seed)
            summary = {f"{name}, {steps} steps": value for (name, steps), value in table.items()}
            run.write_json("oracle.json", {label: variation for label, (variation, _) in summary.items()})
        print(f"{'total variation from the prior':<32}" + "".join(f"{f'{steps} steps':>12}" for steps in config.steps))
        for name in config.samplers:
            print(f"{name:<32}" + "".join(f"{table[name, steps][0]:>12.4f}" for steps in config.steps))
        for label, (_, lost) in summary.items():
            if lost > 0:
                print(f"lost as not-a-number: {lost:.2%} of the draws of {label}")
        print(f"written: {run.folder / 'oracle.json'}")
        return
    name = options.weights or config.data.dataset
    if not options.weights and name not in SHIPPED:
        raise UsageError(f"no network is shipped for '{name}'; give --weights FOLDER, made by train")
    model = SimplexDenoiser.from_pretrained(find_weights(name, call.paper.module))
    data = load(config.data, model.config.symbols)
    check_fits(replace(config, model=model.config), data, "choose the --preset and --data that it was trained for")
    if options.dry_run:
        print(f"would evaluate {name} on {options.count} sequences at {options.points} SNRs each")
        return
    with call.open_run() as run:
        numbers = evaluate_model(model, data, options.count, options.points, options.seed)
        run.write_json("evaluation.json", numbers)
    print(f"{name}, nats per sequence of {data.positions} positions unless stated otherwise")
    for name_of, value in numbers.items():
        print(f"{name_of:<28}{value:>10.4f}")
    print(f"written: {run.folder / 'evaluation.json'}")
