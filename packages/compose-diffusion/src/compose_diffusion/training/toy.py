"""Training of the toy's networks on new samples: noise prediction, or distillation of a score network into an energy.

Batch number `step` is a function of seed, step and process, so a resumed training continues with the same batches.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, Hook, LoopOptions, fit
from torch import Tensor

from compose_diffusion.config.toy import ToyLearnedConfig
from compose_diffusion.data.circles import make_component
from compose_diffusion.data.distributions import Distribution
from compose_diffusion.diffusion import NoiseSchedule, make_schedule
from compose_diffusion.models.toy import ToyNetwork, make_network
from compose_diffusion.training.network_training import EVALUATION_SEED, Batch, Fit, Training, noised_batch

Loss = Callable[[ToyNetwork, Batch, torch.Generator], tuple[Tensor, int]]

HELD_OUT_POINTS = 4096


def noise_loss(schedule: NoiseSchedule) -> Loss:
    r"""$|\hat\epsilon_\theta(x_t, t) - \epsilon|^2 / D$ at a uniformly drawn level; double backward for energies."""

    def loss(network: ToyNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        noised, noise, t = noised_batch(batch["points"], schedule, generator)
        return _squared_error(network.noise(noised, t), noise)

    return loss


def distillation_loss(schedule: NoiseSchedule, teacher: ToyNetwork) -> Loss:
    r"""$|\nabla_x f_\theta(x_t, t) - \hat\epsilon_{teacher}(x_t, t)|^2 / D$: distillation (Thornton et al., 2025).

    The target has no noise. An energy learns the gradient field nearest to the teacher's prediction.

    Args:
        schedule: noise levels of both.
        teacher: a trained network, which is not changed.
    """

    def loss(network: ToyNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        noised, _, t = noised_batch(batch["points"], schedule, generator)
        with torch.no_grad():
            target = teacher.noise(noised, t)
        return _squared_error(network.noise(noised, t), target)

    return loss


def _squared_error(prediction: Tensor, target: Tensor) -> tuple[Tensor, int]:
    return (prediction - target).square().mean(dim=1).sum(), len(target)


def fresh_samples(
    distribution: Distribution, batch_size: int, seed: int, *, rank: int = 0, world: int = 1
) -> Callable[[int], Batch]:
    """Batches of new samples: step -> points of this process, a function of seed, step and rank.

    Raises:
        UsageError: a batch that does not divide among the processes.
    """
    if batch_size % world:
        raise UsageError(
            f"batch_size is {batch_size} for {world} processes, expected a multiple; change it or their number"
        )

    def batch(step: int) -> Batch:
        (state,) = np.random.SeedSequence([seed, step, rank]).generate_state(1)
        generator = torch.Generator().manual_seed(int(state))
        return {"points": distribution.sample(batch_size // world, generator, torch.float32)}

    return batch


def train_network(
    config: ToyLearnedConfig,
    component: str | Distribution,
    run: Run | None,
    loop: LoopOptions,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    teacher: ToyNetwork | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> tuple[ToyNetwork, Fitted[TorchState]]:
    """Train the network of one distribution, or resume its training.

    Args:
        config: architecture, form, noise levels, optimiser.
        component: name of the distribution, or one of your own.
        run: destination of checkpoints and logs; None writes none.
        loop: number of steps (that of `config`) and intervals of logs and checkpoints.
        seed: of weights, samples, levels, noise.
        accelerator: device and precision; the best device by default.
        teacher: a score network of the same distribution to distil; if absent, the network predicts noise.
        hooks: called as `hook(step, state, row)` after each log row.

    Returns:
        The network with averaged weights in evaluation mode, and how the training ended.

    Raises:
        UsageError: `torch.compile` with an energy, which it cannot differentiate twice.
    """
    accelerator = accelerator or Accelerator()
    if accelerator.options.compile and config.network.form != "score":
        raise UsageError(
            f"compile with form '{config.network.form}', expected 'score': training an energy differentiates twice, "
            "which torch.compile does not support; leave compile out"
        )
    schedule = make_schedule(config.network.schedule)
    if teacher is None:
        loss = noise_loss(schedule)
    else:
        loss = distillation_loss(schedule, teacher.to(accelerator.device))
    task = TorchTask(
        lambda: make_network(config.network),
        loss,
        config.fit.optimizer,
        total_steps=config.fit.steps,
        accelerator=accelerator,
    )
    distribution = make_component(component) if isinstance(component, str) else component
    fitted = fit(
        task,
        fresh_samples(distribution, config.fit.batch_size, seed, rank=accelerator.rank, world=accelerator.world),
        loop,
        run,
        seed=seed,
        evaluate=lambda state: _held_out(task, state, distribution, schedule),
        hooks=hooks,
        processes=accelerator,
        description=component if isinstance(component, str) else type(component).__name__,
    )
    with task.evaluating(fitted.state) as model:
        averaged = copy.deepcopy(model)
    assert isinstance(averaged, ToyNetwork)
    return averaged.eval(), fitted


def _held_out(
    task: TorchTask, state: TorchState, distribution: Distribution, schedule: NoiseSchedule
) -> dict[str, float]:
    """Noise loss of the averaged weights on held-out points."""
    device = task.accelerator.device
    points = distribution.sample(HELD_OUT_POINTS, torch.Generator().manual_seed(EVALUATION_SEED), torch.float32)
    generator = torch.Generator(device).manual_seed(EVALUATION_SEED)
    with task.evaluating(state) as model:
        assert isinstance(model, ToyNetwork)
        total, weight = noise_loss(schedule)(model, {"points": points.to(device)}, generator)
    return {"held_out_loss": float(total) / weight}


def trainings(config: ToyLearnedConfig) -> list[Training]:
    """The trainings of the `train` verb: a network for each distribution; to distil, `NAME-teacher` before `NAME`."""
    listed: list[Training] = []
    taught = f"{config.fit.batch_size} new points per step"
    for component in config.components:
        if config.objective == "noise":
            description = f"the {config.network.form} network of {component} on {taught}"
            listed.append(Training(component, config.fit.steps, description, _fit(config, component, {})))
            continue
        teacher_config = replace(config, objective="noise", network=replace(config.network, form="score"))
        teachers: dict[str, ToyNetwork] = {}
        listed += [
            Training(
                f"{component}-teacher",
                config.fit.steps,
                f"the score network of {component} on {taught}",
                _fit(teacher_config, component, teachers, teaches=True),
            ),
            Training(
                component,
                config.fit.steps,
                f"the {config.network.form} energy of {component} from that score network",
                _fit(config, component, teachers),
            ),
        ]
    return listed


def _fit(config: ToyLearnedConfig, component: str, teachers: dict[str, ToyNetwork], *, teaches: bool = False) -> Fit:
    """The training of a network, which is added to `teachers` if it teaches, or distilled from the one there."""

    def run_fit(
        run: Run | None, loop: LoopOptions, seed: int, accelerator: Accelerator
    ) -> tuple[ToyNetwork, Fitted[TorchState]]:
        if config.objective == "distill" and component not in teachers:
            raise UsageError(
                f"energy of {component} has no teacher yet, expected its score network first; run the training "
                f"'{component}-teacher' before"
            )
        teacher = teachers.get(component) if config.objective == "distill" else None
        network, fitted = train_network(
            config, component, run, loop, seed=seed, accelerator=accelerator, teacher=teacher
        )
        if teaches:
            teachers[component] = network
        return network, fitted

    return run_fit
