"""Many samples in batches, each with its own stream of random numbers, divided among the processes of a run.

The stream of a batch is a function of the seed and the number of the batch, so samples do not depend on how many
processes draw them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from onepaper import progress
from onepaper.torch.accelerator import Accelerator
from torch import Tensor

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.samplers.samplers import draw


@dataclass(frozen=True, eq=False)
class SampleBatch:
    """All batches together, equal on every process.

    Attributes:
        x: [count, *event].
        acceptance: [levels], mean over samples, NaN where no MCMC ran.
        evaluations: of the composition for each sample.
        non_finite: proposals rejected because they were not finite.
        ess: [levels], effective sample size after each level of a Feynman-Kac population, NaN for other methods.
        resamplings: of such a population.
    """

    x: Float[Tensor, "count *event"]
    acceptance: Float[Tensor, " levels"]
    evaluations: int
    non_finite: int
    ess: Float[Tensor, " levels"]
    resamplings: int


def batch_generator(seed: int, batch: int, device: torch.device) -> torch.Generator:
    """The random numbers of one batch: independent streams for different seeds and batches."""
    (state,) = np.random.SeedSequence((seed, batch)).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state))


def draw_batches(
    expression: Expression,
    schedule: NoiseSchedule,
    shape: tuple[int, ...],
    options: SamplerOptions,
    accelerator: Accelerator,
    *,
    batch_size: int,
    seed: int,
    dtype: torch.dtype = torch.float32,
) -> SampleBatch:
    """Draw samples; each process draws its share of the batches, and all processes receive all samples.

    Args:
        expression: the composition.
        schedule: noise levels.
        shape: (count, *event).
        options: the sampler. With "fkc" all samples are one batch, for its weights compare them with one another.
        accelerator: device and processes.
        batch_size: samples drawn together.
        seed: of all batches.
        dtype: of the samples.

    Raises:
        UsageError: as of `samplers.draw`.
    """
    count = shape[0]
    size = count if options.method == "fkc" else min(batch_size, count)
    batches = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    mine = range(accelerator.rank, len(batches), accelerator.world)
    x = torch.zeros(shape, dtype=dtype, device=accelerator.device)
    counts = torch.zeros(len(batches), 3, dtype=torch.int64, device=accelerator.device)
    acceptance = torch.zeros(len(batches), len(schedule), device=accelerator.device)
    ess = torch.zeros(len(schedule), device=accelerator.device)
    with progress.bar(len(schedule) * len(mine), "sampling", unit="level") as shown:
        for index in mine:
            generator = batch_generator(seed, index, accelerator.device)
            start = torch.randn(x[batches[index]].shape, generator=generator, dtype=x.dtype, device=x.device)
            result = draw(expression, schedule, start, options, generator, progress=lambda *_: shown.update())
            x[batches[index]] = result.x
            population = result.population
            resamplings = 0 if population is None else population.num_resamplings
            counts[index] = torch.tensor([result.gradient_evaluations, result.non_finite, resamplings])
            acceptance[index] = result.acceptance
            ess += torch.nan if population is None else population.ess.to(ess)
    x, counts, acceptance, ess = (accelerator.sum(part).cpu() for part in (x, counts, acceptance, ess))
    weights = torch.tensor([float(batch.stop - batch.start) for batch in batches]) / count
    evaluations, non_finite, resamplings = counts[:, 0].max(), counts[:, 1].sum(), counts[:, 2].sum()
    return SampleBatch(x, weights @ acceptance, int(evaluations), int(non_finite), ess, int(resamplings))
