"""What training an energy costs over training a score: time of a step, and memory kept for its backward pass.

    python benchmarks/bench_energy_training.py [--width 128] [--batch-size 1000] [--threads 1]

The toy's MLP, the complete training step (loss, double backward, Adam). Forms take turns step by step, so that a
busy machine slows all alike, in several processes. The goal is a ratio of at most 2.6.
"""

import argparse
import json
import statistics
import sys
import time

from onepaper.benchmark import run_script

FORMS = ("score", "dae", "l2", "dot")
GOAL = 2.6
WARM_UP_STEPS = 5

Measured = dict[str, dict[str, float]]


def measure(width: int, batch_size: int, steps: int, threads: int) -> Measured:
    """Of each form, median milliseconds of a training step, and MiB of tensors kept between the passes."""
    from dataclasses import replace

    import torch
    from onepaper.accelerator import AcceleratorOptions
    from onepaper.torch.accelerator import Accelerator
    from onepaper.torch.steps import TorchTask

    from compose_diffusion.config.toy import PAPER_OPTIMIZER, ToyNetworkConfig
    from compose_diffusion.data.circles import make_component
    from compose_diffusion.diffusion import make_schedule
    from compose_diffusion.models.toy import ToyNetwork, make_network
    from compose_diffusion.training.toy import fresh_samples, noise_loss

    accelerator = Accelerator(AcceleratorOptions(device="cpu", threads=threads))
    configs = {form: replace(ToyNetworkConfig(), form=form, width=width) for form in FORMS}
    loss = noise_loss(make_schedule(ToyNetworkConfig().schedule))

    def task_of(config: ToyNetworkConfig) -> TorchTask:
        return TorchTask(lambda: make_network(config), loss, PAPER_OPTIMIZER, accelerator=accelerator)

    tasks = {form: task_of(config) for form, config in configs.items()}
    states = {form: task.init(0) for form, task in tasks.items()}
    batches = fresh_samples(make_component("ring"), batch_size, seed=0)
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    for step in range(WARM_UP_STEPS + steps):
        batch = batches(step)
        for form in FORMS:
            begun = time.perf_counter()
            states[form], _ = tasks[form].step(states[form], batch)
            seconds[form].append(time.perf_counter() - begun)

    def mebibytes_kept(network: ToyNetwork) -> float:
        # Tensors, not the process: its peak is mostly the library itself. Parameters are there whatever the form.
        own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
            loss(network, batches(0), torch.Generator().manual_seed(0))
        return sum(kept.values()) / 2**20

    return {
        form: {
            "milliseconds": 1e3 * statistics.median(seconds[form][WARM_UP_STEPS:]),
            "mebibytes": mebibytes_kept(make_network(config)),
        }
        for form, config in configs.items()
    }


def main() -> None:
    """Measure in several processes; print a table of medians and of ratios to the score."""
    parser = argparse.ArgumentParser(description="Training cost of energies over scores.")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=30, help="timed steps of each form in a process")
    parser.add_argument("--rounds", type=int, default=3, help="processes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.width, options.batch_size, options.steps, options.threads)))
        return
    rounds: list[Measured] = [run_script(__file__, [*sys.argv[1:], "--measure"]) for _ in range(options.rounds)]
    print(f"width {options.width}, batch {options.batch_size}, {options.threads} thread(s), {options.rounds} processes")
    print(f"{'form':8}{'ms a step':>12}{'time ratio':>14}{'MiB kept':>12}{'memory ratio':>14}")
    for form in FORMS:
        milliseconds = statistics.median(found[form]["milliseconds"] for found in rounds)
        ratio = statistics.median(found[form]["milliseconds"] / found["score"]["milliseconds"] for found in rounds)
        mebibytes = rounds[0][form]["mebibytes"]
        memory_ratio = mebibytes / rounds[0]["score"]["mebibytes"]
        verdict = "" if form == "score" else "  goal met" if ratio <= GOAL else f"  goal of {GOAL} missed"
        print(f"{form:8}{milliseconds:12.1f}{ratio:14.2f}{mebibytes:12.1f}{memory_ratio:14.2f}{verdict}")


if __name__ == "__main__":
    main()
