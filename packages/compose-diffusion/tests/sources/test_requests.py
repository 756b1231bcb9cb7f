import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.expression_tree import ExpressionError
from compose_diffusion.cli.options import SampleOptions
from compose_diffusion.cli.sample import requested
from compose_diffusion.models.digit_guidance import guided_by_classifier, guided_by_label
from compose_diffusion.models.digits import DigitModels
from compose_diffusion.sources import requests as module

CPU = torch.device("cpu")


def test_options_ask_for_guidance(few_levels, generator):
    x = torch.randn(4, 1, 8, 8, generator=generator)
    models = DigitModels.from_pretrained(few_levels)
    for by, guided in (("label", guided_by_label), ("classifier", guided_by_classifier)):
        options = SampleOptions(all_of=(3, 8), none_of=(1,), guidance=2.5, negation=0.5, by=by, weights=few_levels)
        found = requested(options, CPU)
        expected = guided(models, [3, 8], [1], weight=2.5, negation=0.5)
        torch.testing.assert_close(found.expression.evaluate(x, 3).score, expected.evaluate(x, 3).score)
        assert (found.wanted, found.unwanted) == (["3", "8"], ["1"])
        assert found.description == f"all of 3, 8 (weight 2.5) and none of 1 (weight 0.5) by {by}"
        assert requested(SampleOptions(by=by, weights=few_levels), CPU).description == "any digit"


def test_an_expression_of_digits_is_that_of_the_options(few_levels, generator):
    x = torch.randn(4, 1, 8, 8, generator=generator)
    by_options = requested(SampleOptions(all_of=(3,), none_of=(5,), guidance=3.0, weights=few_levels), CPU)
    text = "3*digits[3] - digits - 1*digits[5]"
    by_text = requested(SampleOptions(expression=text, weights=few_levels), CPU)
    scores = [request.expression.evaluate(x, 3).score for request in (by_options, by_text)]
    torch.testing.assert_close(*scores)
    assert (by_text.wanted, by_text.unwanted, by_text.description) == (["3"], ["5"], text)


def test_exact_densities_are_drawn_below_their_samples(few_levels, tmp_path, monkeypatch):
    densities = []
    monkeypatch.setattr(module, "write_points", lambda path, points, log_density: densities.append(log_density))
    request = requested(SampleOptions(expression="ring & bar"), CPU)
    request.write_picture(torch.zeros(3, 2), tmp_path / "plane.png")
    (log_density,) = densities
    points = torch.tensor([[0.0, 0.5], [0.5, 0.0]], dtype=torch.float64)  # a mode of the product, and none
    on, off = log_density(points).tolist()
    assert on - off > 6
    digits = requested(SampleOptions(expression="digits[3]", weights=few_levels), CPU)
    digits.write_picture(torch.zeros(3, 1, 8, 8), tmp_path / "digits.png")
    assert len(densities) == 1
    assert (tmp_path / "digits.png").exists()


def test_one_condition_on_both_sides_is_wanted(few_levels):
    request = requested(SampleOptions(expression="4*digits[3] - 2*digits[3] & ~digits[5]", weights=few_levels), CPU)
    assert (request.wanted, request.unwanted) == (["3"], ["5"])


@pytest.mark.parametrize(
    ("options", "reported", "place"),
    [
        (SampleOptions(expression="ring & bra"), "unknown model 'bra': did you mean 'bar'", 7),
        (SampleOptions(expression="ring & digits"), "digits has samples of shape [1, 8, 8] and ring of [2]", 7),
        (SampleOptions(expression="digits[3] | digits[5]"), "which has only a score", 10),
        (SampleOptions(expression="digits[3] & digits[x]"), "digits has no condition 'x'", 12),
        (SampleOptions(expression="ring[3]"), "ring was given the condition '3'", 0),
        (SampleOptions(expression="ring &"), "nothing after '&'", 6),
        (SampleOptions(expression="mine & ring"), "unknown model 'mine'", 0),
    ],
)
def test_mistakes_in_expressions_have_their_place(options, reported, place):
    with pytest.raises(ExpressionError) as caught:
        requested(options, CPU)
    assert reported in str(caught.value)
    assert caught.value.position == place
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (
            SampleOptions(expression="ring", leaf=("mine=folder",)),
            "--leaf names 'mine', which the expression 'ring' does not",
        ),
        (SampleOptions(expression="ring", num_levels=101), "num_levels is 101, expected at most the 100 levels"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, reported):
    with pytest.raises(UsageError, match=reported):
        requested(options, CPU)


def test_weights_belong_to_trained_models(tmp_path):
    with pytest.raises(UsageError, match="names none of digits, positions"):
        requested(SampleOptions(expression="ring", weights=tmp_path), CPU)
