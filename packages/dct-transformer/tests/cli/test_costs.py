"""Costs of presets, counted without memory."""

from dct_transformer.cli.costs import cost_of, number_of_parameters
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.models.token_model import TokenModel
from dct_transformer.presets import PRESETS


def test_the_network_of_lsun_has_about_448_million_parameters() -> None:
    count = number_of_parameters(PRESETS["paper-lsun"].config)
    assert abs(count / 448e6 - 1) < 0.01


def test_costs_of_baselines() -> None:
    config = PRESETS["baseline-codes"].config
    model = TokenModel(200, config.dim, config.heads, config.layers, config.dropout)
    assert number_of_parameters(config) == sum(parameter.numel() for parameter in model.parameters())


def test_costs_are_those_of_the_network() -> None:
    config = PRESETS["smoke"].config
    count = sum(parameter.numel() for parameter in DCTransformer(config.model).parameters())
    assert cost_of(config)["parameters"] == f"{count:,}"
