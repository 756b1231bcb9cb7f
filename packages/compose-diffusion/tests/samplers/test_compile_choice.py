import torch

from compose_diffusion.algebra.leaves import ExactLeaf, PredictionLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture, MixtureDistribution, bar, ring
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.samplers import samplers
from compose_diffusion.samplers.compilation import CompiledExpression
from compose_diffusion.samplers.compile_choice import compiled_once, worth_compiling

SCHEDULE = cosine_schedule(100)
PRODUCT = ExactLeaf(ring(), SCHEDULE) & ExactLeaf(bar(), SCHEDULE)
LONG = SamplerOptions(steps_per_level=1000)


def test_long_runs_of_exact_densities_are_worth_it():
    assert worth_compiling(PRODUCT, (2000, 2), SCHEDULE, LONG)
    assert worth_compiling(PRODUCT, torch.zeros(100_000, 2), SCHEDULE, SamplerOptions())
    assert not worth_compiling(PRODUCT, (2000, 2), SCHEDULE, SamplerOptions())  # seconds, as the compilation
    assert not worth_compiling(PRODUCT, (2000, 2), SCHEDULE, SamplerOptions("reverse"))
    assert not worth_compiling(PRODUCT, (2000, 2), SCHEDULE, SamplerOptions(steps_per_level=1000, first_level=0))


def test_networks_and_other_densities_are_left_as_they_are():
    network = PredictionLeaf(lambda x, t: x, SCHEDULE)
    assert not worth_compiling(PRODUCT & network, (2000, 2), SCHEDULE, LONG)
    one_axis = ExactLeaf(GaussianMixture([[0.0]], std=1.0), SCHEDULE)
    assert not worth_compiling(PRODUCT & one_axis, (2000, 2), SCHEDULE, LONG)  # refused when it is evaluated
    mixed = ExactLeaf(MixtureDistribution([ring(), bar()], [0.5, 0.5]), SCHEDULE)
    assert worth_compiling(mixed, (2000, 2), SCHEDULE, LONG)


def test_an_expression_is_compiled_once():
    expression = ExactLeaf(ring(), SCHEDULE) & ExactLeaf(bar(), SCHEDULE)
    assert isinstance(compiled_once(expression), CompiledExpression)
    assert compiled_once(expression) is compiled_once(expression)


def test_draw_compiles_by_expected_work_or_as_asked(monkeypatch, generator):
    seen = []

    def spy(expression, *arguments, **options):
        seen.append(isinstance(expression, CompiledExpression))
        return samplers.annealed_mcmc(expression.expression if seen[-1] else expression, *arguments, **options)

    monkeypatch.setitem(samplers.SAMPLERS, "annealed", spy)
    few = SamplerOptions(steps_per_level=1, first_level=0)
    for compile in (None, True, False):
        samplers.draw(PRODUCT, SCHEDULE, (3, 2), few, generator, compile=compile)
    assert seen == [False, True, False]
