from functools import partial

import torch
from onepaper.accelerator import AcceleratorOptions
from onepaper.torch.accelerator import Accelerator

from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import bar, ring
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.samplers.batches import batch_generator, draw_batches
from compose_diffusion.samplers.samplers import draw

CPU = torch.device("cpu")
SCHEDULE = cosine_schedule(4)
PRODUCT = ExactLeaf(ring(), SCHEDULE) & ExactLeaf(bar(), SCHEDULE)
ULA = SamplerOptions(method="reverse-mcmc", kernel="ula", step_scale=1e-3)
batches = partial(draw_batches, PRODUCT, SCHEDULE, seed=0, dtype=torch.float64)


def test_every_batch_has_its_own_stream():
    accelerator = Accelerator(AcceleratorOptions(device="cpu"))
    drawn = batches((10, 2), ULA, accelerator, batch_size=3)
    for index, batch in enumerate((slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 10))):
        generator = batch_generator(0, index, CPU)
        start = torch.randn(drawn.x[batch].shape, generator=generator, dtype=torch.float64)
        alone = draw(PRODUCT, SCHEDULE, start, ULA, generator)
        torch.testing.assert_close(drawn.x[batch], alone.x, rtol=0, atol=0)
    # An evaluation at the top, and after each of 3 reverse steps one at the start of the chain and one for each step.
    # Below level 0, 6 levels of 16 HMC steps with 3 leapfrog steps each.
    assert drawn.evaluations == 1 + 3 * (1 + 10) + 6 * (1 + 16 * 3)
    assert drawn.acceptance[:3].tolist() == [1, 1, 1]
    assert drawn.acceptance[3].isnan()
    more = batches((12, 2), ULA, accelerator, batch_size=3)
    torch.testing.assert_close(more.x[:9], drawn.x[:9], rtol=0, atol=0)


def test_a_weighted_population_is_one_batch():
    accelerator = Accelerator(AcceleratorOptions(device="cpu"))
    options = SamplerOptions(method="fkc", steps_per_level=0)
    one, several = (batches((10, 2), options, accelerator, batch_size=size) for size in (100, 3))
    torch.testing.assert_close(several.x, one.x, rtol=0, atol=0)


def test_streams_differ_by_seed_and_batch():
    first = {torch.rand(1, generator=batch_generator(seed, batch, CPU)).item() for seed in (0, 1) for batch in (0, 1)}
    assert len(first) == 4
