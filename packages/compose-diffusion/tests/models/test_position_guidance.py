import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.models.digits import DigitModels
from compose_diffusion.models.position_guidance import digit_at, digits_at, digits_of_class_at, position_leaf
from compose_diffusion.models.positions import PositionModels


@pytest.fixture(scope="module")
def models():
    return PositionModels.from_pretrained()


def at_level(model, x, t, position):
    with torch.no_grad():
        time = torch.full((len(x),), t)
        return model(x, time, torch.tensor([position]).expand(len(x), 2))


def test_composition_is_the_formula(models, generator):
    x = torch.randn(2, 1, 32, 32, generator=generator)
    places = [(3, 5), (20, 11)]
    ours = digits_at(models, places, weight=1.5).evaluate(x, 40)
    nothing = at_level(models.score, x, 40, (-1, -1))
    expected = nothing + sum(1.5 * (at_level(models.score, x, 40, place) - nothing) for place in places)
    torch.testing.assert_close(ours.noise, expected, rtol=1e-4, atol=1e-4)
    assert digits_at(models, [], weight=1.0).evaluate(x, 40).noise.equal(nothing)


def test_energies_of_a_composition(models, generator):
    x = torch.randn(2, 1, 32, 32, generator=generator)
    expression = digits_at(models, [(3, 5)], weight=2.0, form="energy")
    assert expression.has_energy
    ours = expression.evaluate(x, 60)
    sigma = float(models.schedule.sigma[60])
    expected = -(2 * at_level(models.energy, x, 60, (3, 5)) - at_level(models.energy, x, 60, (-1, -1))) / sigma
    torch.testing.assert_close(ours.log_density, expected, rtol=1e-4, atol=1e-2)


def test_all_leaves_of_a_network_share_one_call(models):
    leaves = digits_at(models, [(0, 0), (9, 9)], weight=1.0, form="energy").leaves()
    assert len(leaves) == 3
    assert len({leaf.batch_key for leaf in leaves}) == 1


def test_other_levels_are_matched(models, generator):
    x, schedule = torch.randn(2, 1, 32, 32, generator=generator), models.schedule.respace(10)
    ours = position_leaf(models, (4, 4), schedule=schedule).evaluate(x, 2).noise
    torch.testing.assert_close(ours, at_level(models.score, x, 29, (4, 4)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("position", [(25, 0), (0, -1)])
def test_places_off_the_canvas(models, position):
    with pytest.raises(UsageError, match=r"position is \(.*\), expected x and y from 0 to 24"):
        position_leaf(models, position)


def test_unknown_form(models):
    with pytest.raises(UsageError, match="did you mean 'energy'"):
        position_leaf(models, (0, 0), "energie")


def test_what_where_adds_a_class_at_the_place_only(models, generator):
    digits = DigitModels.from_pretrained()
    x = torch.randn(2, 1, 32, 32, generator=generator)
    labels = torch.tensor([3, 7])
    place = (10, 4)
    where = digits_at(models, [place], weight=1.5).evaluate(x, 50).noise
    both = digits_of_class_at(models, digits, {place: labels}, models.schedule, weight=1.5, class_weight=2.0)
    difference = both.evaluate(x, 50).noise - where
    crop, t = x[:, :, 4:12, 10:18], torch.full((2,), 50)
    with torch.no_grad():
        expected = 2.0 * (digits.denoiser(crop, t, labels) - digits.denoiser(crop, t))
    torch.testing.assert_close(difference[:, :, 4:12, 10:18], expected, rtol=1e-3, atol=1e-3)
    difference[:, :, 4:12, 10:18] = 0
    assert difference.abs().max() < 1e-4
    assert digit_at(digits, None, place, 32, models.schedule).window[2] == slice(4, 12)
