import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import guidance
from compose_diffusion.algebra.leaves import EnergyLeaf, PredictionLeaf
from compose_diffusion.algebra.tapestry import Crop, Region, Tapestry, grid_of_regions, product_of_crops
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import cosine_schedule, score_from_noise
from compose_diffusion.samplers.samplers import draw

SCHEDULE = cosine_schedule(20)
TILE = (4, 4)


def linear_leaf(seed, schedule=SCHEDULE):
    """A network that mixes all pixels of its tile, so that wrong crops show."""
    matrix = torch.randn(16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return PredictionLeaf(lambda x, t: (x.flatten(1) @ matrix).reshape(x.shape) + t[:, None, None, None], schedule)


def energy_leaf(seed):
    mean = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return EnergyLeaf(lambda x, t: (x - mean).pow(4).flatten(1).sum(dim=1), SCHEDULE)


def canvas(generator, height, width, channels=1):
    return torch.randn(3, channels, height, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("make", [Tapestry, product_of_crops])
def test_one_region_is_the_model_itself(make, generator):
    leaf, x = linear_leaf(0), canvas(generator, 4, 4)
    ours, alone = make([Region(leaf, 0, 0)], TILE, TILE).evaluate(x, 7), leaf.evaluate(x, 7)
    torch.testing.assert_close(ours.score, alone.score)
    torch.testing.assert_close(ours.noise, alone.noise)


@pytest.mark.parametrize("make", [Tapestry, product_of_crops])
def test_regions_without_overlap_are_independent_models(make, generator):
    leaves = [[linear_leaf(0), linear_leaf(1), linear_leaf(2)], [linear_leaf(3), linear_leaf(4), linear_leaf(5)]]
    x = canvas(generator, 8, 12)
    ours = make(grid_of_regions(leaves, 4), (8, 12), TILE).evaluate(x, 3)
    for row in range(2):
        for column in range(3):
            window = (..., slice(4 * row, 4 * row + 4), slice(4 * column, 4 * column + 4))
            torch.testing.assert_close(ours.score[window], leaves[row][column].evaluate(x[window], 3).score)


def test_average_against_a_pixel_by_pixel_reference(generator):
    leaves = [linear_leaf(0), linear_leaf(1), linear_leaf(2)]
    regions = [Region(leaves[0], 0, 0, scale=2), Region(leaves[1], 3, 2), Region(leaves[2], 4, 4)]
    x = canvas(generator, 8, 8)
    ours = Tapestry(regions, (8, 8), TILE).evaluate(x, 5)
    numerator, denominator = torch.zeros_like(x), torch.zeros(8, 8, dtype=torch.float64)
    # The fall-off of a tile of 4: 6/32 of it is less than a pixel, so only the outermost pixels lose their weight.
    inner = torch.zeros(4, 4, dtype=torch.float64)
    inner[1:3, 1:3] = 1
    for region in regions:
        side, s = 4 * region.scale, region.scale
        seen = torch.stack([x[:, :, region.y + s * i, region.x + s * j] for i in range(4) for j in range(4)], dim=-1)
        noise = region.model.evaluate(seen.reshape(3, 1, 4, 4), 5).noise
        for i in range(side):
            for j in range(side):
                weight = (inner[i // s, j // s] + 1e-6) / s**2
                numerator[:, :, region.y + i, region.x + j] += weight * noise[:, :, i // s, j // s]
                denominator[region.y + i, region.x + j] += weight
    torch.testing.assert_close(ours.noise, numerator / denominator)
    torch.testing.assert_close(ours.score, score_from_noise(numerator / denominator, 5, SCHEDULE))


def test_agreeing_regions_average_to_what_they_agree_on(generator):
    leaf = PredictionLeaf(lambda x, t: x, SCHEDULE)
    regions = [Region(leaf, 0, 0), Region(leaf, 2, 0), Region(leaf, 3, 0)]
    x = canvas(generator, 4, 7, channels=2)
    torch.testing.assert_close(Tapestry(regions, (4, 7), TILE).evaluate(x, 2).noise, x)


def test_product_of_crops_is_a_density(generator):
    expression = product_of_crops(grid_of_regions([[energy_leaf(0), energy_leaf(1)]], 2), (4, 6), TILE)
    assert expression.has_energy
    x = canvas(generator, 4, 6).requires_grad_()
    means = [torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(i), dtype=torch.float64) for i in (0, 1)]
    terms = [(x[..., 2 * i : 2 * i + 4] - mean).pow(4).flatten(1).sum(dim=1) for i, mean in enumerate(means)]
    log_density = -(terms[0] + terms[1]) / float(SCHEDULE.sigma[4])
    (score,) = torch.autograd.grad(log_density.sum(), x)
    ours = expression.evaluate(x.detach(), 4)
    torch.testing.assert_close(ours.log_density, log_density.detach())
    torch.testing.assert_close(ours.score, score)
    assert expression.evaluate(x.detach(), 4, energy=False).log_density is None


def test_average_has_no_energy(generator):
    tapestry = Tapestry([Region(energy_leaf(0), 0, 0)], TILE, TILE)
    assert not tapestry.has_energy
    assert tapestry.evaluate(canvas(generator, 4, 4), 1).log_density is None
    with pytest.raises(UsageError, match="needs log densities, which Tapestry does not give"):
        draw(
            tapestry,
            SCHEDULE,
            canvas(generator, 4, 4),
            SamplerOptions(method="annealed", kernel="mala"),
            generator,
        )


def test_a_crop_composes_with_a_model_of_the_whole_canvas(generator):
    whole = PredictionLeaf(lambda x, t: 2 * x, SCHEDULE)
    crop = Crop(Region(linear_leaf(1), 1, 2), (7, 6), TILE)
    x = canvas(generator, 7, 6)
    ours = (whole + 0.5 * crop).evaluate(x, 3)
    expected = 2 * x
    expected[..., 2:6, 1:5] += 0.5 * linear_leaf(1).evaluate(x[..., 2:6, 1:5].clone(), 3).noise
    torch.testing.assert_close(ours.noise, expected)
    torch.testing.assert_close(ours.score, score_from_noise(expected, 3, SCHEDULE))


def test_regions_take_expressions_and_are_sampled(generator):
    guided = guidance(linear_leaf(0), [linear_leaf(1)], [2.0])
    x = canvas(generator, 4, 4)
    ours = Tapestry([Region(guided, 0, 0)], TILE, TILE)
    torch.testing.assert_close(ours.evaluate(x, 3).score, guided.evaluate(x, 3).score)
    gaussian = PredictionLeaf(lambda x, t: SCHEDULE.sigma[t].to(x)[:, None, None, None] * x, SCHEDULE)
    tapestry = Tapestry(grid_of_regions([[gaussian, gaussian]], 3), (4, 7), TILE)
    start = torch.randn(2000, 1, 4, 7, generator=generator)
    drawn = draw(tapestry, SCHEDULE, start, SamplerOptions(method="reverse"), generator).x
    # Every region is N(0, I), so is the canvas, and the reverse process keeps it.
    assert float(drawn.var()) == pytest.approx(1.0, abs=0.1)
    assert abs(float(drawn.mean())) < 0.02


def test_regions_that_do_not_fit():
    with pytest.raises(UsageError, match="region at x=3, y=0 with scale 1 ends at x=7, y=4, expected it inside"):
        Tapestry([Region(linear_leaf(0), 3, 0)], (4, 6), TILE)
    for make in (Tapestry, product_of_crops):
        with pytest.raises(UsageError, match="8 pixels of the canvas lie in no region, the first at x=4, y=0"):
            make([Region(linear_leaf(0), 0, 0)], (4, 6), TILE)
    with pytest.raises(UsageError, match="scale 2, expected 1.*use a Tapestry"):
        Crop(Region(linear_leaf(0), 0, 0, scale=2), (8, 8), TILE)
    with pytest.raises(UsageError, match="region x is -1"):
        Region(linear_leaf(0), -1, 0)
    with pytest.raises(UsageError, match="region scale is 0"):
        Region(linear_leaf(0), 0, 0, scale=0)


def test_models_of_different_levels():
    other = linear_leaf(0, cosine_schedule(10))
    with pytest.raises(UsageError, match="20 and 10 noise levels that differ"):
        Tapestry([Region(linear_leaf(0), 0, 0), Region(other, 4, 0)], (4, 8), TILE)
    with pytest.raises(UsageError, match="tapestry of 1 regions has no model with noise levels"):
        Tapestry([Region(EnergyLeaf(lambda x, t: x.flatten(1).sum(1)), 0, 0)], TILE, TILE)


@pytest.mark.parametrize("make", [Tapestry, product_of_crops])
def test_samples_of_another_size(make):
    with pytest.raises(UsageError, match=r"samples have shape \(1, 1, 5, 4\), expected \[batch, channels, 4, 4\]"):
        make([Region(linear_leaf(0), 0, 0)], TILE, TILE).evaluate(torch.zeros(1, 1, 5, 4), 0)
