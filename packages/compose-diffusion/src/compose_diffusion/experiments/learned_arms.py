"""Arms of the claims about trained networks of the plane: one training or one sampled task each, computed once.

Networks are trained inside the arms, at the scale of a laptop, so claims share them. Samplers run on the CPU, with the
step sizes and numbers of steps of the official toy notebook.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast

import numpy as np
import torch
from onepaper.accelerator import AcceleratorOptions
from onepaper.claims import ArmResult, ClaimContext
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions

from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.toy import ToyLearnedConfig
from compose_diffusion.data.circles import make_component
from compose_diffusion.diffusion import make_schedule
from compose_diffusion.evaluation import toy_suite as suite
from compose_diffusion.evaluation.learned_toy import TERMS, denoising_errors, network_leaf, run_task
from compose_diffusion.experiments.exact_toy import PAPER_TOY
from compose_diffusion.models.toy import ToyNetwork, make_network
from compose_diffusion.presets import TOY_PRESETS
from compose_diffusion.training.toy import train_network

Form = Literal["dae", "l2", "dot", "score"]
LAPTOP = cast(ToyLearnedConfig, TOY_PRESETS["laptop-toy"].config)
NUM_SAMPLES = 1000
SUITE_SAMPLES = 400
POINTS_PER_LEVEL = 1000
CURVE_POINTS = 40


def form_of(config: ToyLearnedConfig, form: str) -> ToyLearnedConfig:
    """The same training of another form."""
    return replace(config, network=replace(config.network, form=cast(Form, form)))


def train_arm(context: ClaimContext, config: ToyLearnedConfig, component: str, seed: int) -> ArmResult:
    """One network with its learning curve and its errors on held-out points."""

    def compute() -> Mapping[str, float | np.ndarray]:
        teacher = None
        if config.objective == "distill":
            teacher = trained(context, form_of(replace(config, objective="noise"), "score"), component, seed)
        curve: list[tuple[int, float]] = []
        loop = LoopOptions(config.fit.steps, log_every=max(1, config.fit.steps // CURVE_POINTS))
        network, fitted = train_network(
            config,
            component,
            None,
            loop,
            seed=seed,
            accelerator=Accelerator(AcceleratorOptions(device=context.device)),
            teacher=teacher,
            hooks=[lambda step, _, row: curve.append((step, row["loss"]))],
        )
        network = network.cpu()
        schedule = make_schedule(config.network.schedule)
        errors = denoising_errors(
            network_leaf(network, schedule),
            make_component(component),
            schedule,
            points_per_level=POINTS_PER_LEVEL,
            seed=evaluation_seed(seed),
        )
        return {
            "loss": errors.loss,
            "ELBO": errors.elbo,
            "training seconds": fitted.seconds,
            "curve": np.array(curve),
            **{f"weights/{name}": value.numpy() for name, value in network.state_dict().items()},
        }

    return context.arm(f"toy network/{component}/{network_name(config)}/{config.fit.steps} steps", seed, compute)


def network_name(config: ToyLearnedConfig) -> str:
    """Form and objective in words."""
    return f"{config.network.form}, distilled" if config.objective == "distill" else config.network.form


def evaluation_seed(seed: int) -> int:
    """Seed of held-out points, different from that of the training, the same for all networks of a seed."""
    return seed + 20_000


def trained(context: ClaimContext, config: ToyLearnedConfig, component: str, seed: int) -> ToyNetwork:
    """The network of a training arm."""
    arm = train_arm(context, config, component, seed)
    with torch.random.fork_rng(devices=[]):
        network = make_network(config.network)
    weights = {name.removeprefix("weights/"): value for name, value in arm.items() if name.startswith("weights/")}
    network.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()})
    return network.eval().requires_grad_(False)


def exact_arm(context: ClaimContext, config: ToyLearnedConfig, component: str, seed: int) -> ArmResult:
    """Errors of the exact prediction on the same points: the lower bound for networks."""

    def compute() -> Mapping[str, float]:
        schedule = make_schedule(config.network.schedule)
        distribution = make_component(component)
        errors = denoising_errors(
            ExactLeaf(distribution, schedule),
            distribution,
            schedule,
            points_per_level=POINTS_PER_LEVEL,
            seed=evaluation_seed(seed),
        )
        return {"loss": errors.loss, "ELBO": errors.elbo}

    return context.arm(f"toy network/{component}/exact", seed, compute)


def draw_arm(
    context: ClaimContext,
    config: ToyLearnedConfig,
    task: str,
    row: str,
    seed: int,
    *,
    mixture_form: str = "scaled",
) -> ArmResult:
    """One task by one row's sampler, composed of networks trained with the same seed."""

    def compute() -> Mapping[str, float | np.ndarray]:
        schedule = make_schedule(config.network.schedule)
        leaves = {name: network_leaf(trained(context, config, name, seed), schedule) for name in TERMS[task]}
        result, measured = run_task(
            task, leaves, schedule, PAPER_TOY.sampler(row), NUM_SAMPLES, seed, mixture_form=mixture_form
        )
        return {**measured, "samples": result.x.numpy()}

    return context.arm(f"learned toy/{task}/{network_name(config)}/{row}/{mixture_form}", seed, compute)


def suite_arm(context: ClaimContext, config: ToyLearnedConfig, task: suite.SuiteTask, row: str, seed: int) -> ArmResult:
    """One task of the suite by one row's sampler."""

    def compute() -> Mapping[str, float | np.ndarray]:
        schedule = make_schedule(config.network.schedule)
        leaves = {name: network_leaf(trained(context, config, name, seed), schedule) for name in task.terms}
        result, measured = suite.run_task(task, leaves, schedule, PAPER_TOY.sampler(row), SUITE_SAMPLES, seed)
        return {**measured, "samples": result.x.numpy()}

    return context.arm(f"suite/{task.name}/{row}", seed, compute)
