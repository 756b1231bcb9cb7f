"""Rules of names: each of our tensors once, with all numbers, and orders that are permutations."""

import math

import pytest
import torch
from onepaper.torch.state_files import model_tensors

from imagen3.config import AutoencoderConfig, DenoiserConfig
from imagen3.models.positions import apply_rotary
from imagen3.pretrained.descriptions import CLASSES, NetworkConfig, class_of
from imagen3.pretrained.diffusers_folders import empty_network
from imagen3.pretrained.layouts import channels_last, rotated_pairs, scale_first

CONFIGS = [
    DenoiserConfig(width=64, depth=3, heads=2, positions="stored", table_size=4, dual_depth=2, output_channels=6),
    DenoiserConfig(width=64, depth=2, heads=2, kind="flux", single_depth=2, guidance_input=True),
    DenoiserConfig(
        width=96, depth=2, heads=2, kind="cross-dit", positions="table", table_size=4, size_input=True, qk_norm=False
    ),
    DenoiserConfig(width=64, depth=2, heads=4, kind="linear-dit", positions="none"),
    AutoencoderConfig(factor=4, kind="kl", widths=(32, 64, 96), blocks=2, quantized=True),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_rules_cover_every_tensor(config: NetworkConfig) -> None:
    rules = list(CLASSES[class_of(config)].rules(config))
    tensors = model_tensors(empty_network(config))
    names = [rule.ours for rule in rules]
    assert len(set(names)) == len(names)
    assert set(names) == tensors.keys() - {"scale", "shift"}
    theirs = [name for rule in rules for name in rule.theirs]
    assert len(set(theirs)) == len(theirs)
    for rule in rules:
        assert sum(map(math.prod, rule.shapes)) == tensors[rule.ours].numel(), rule.ours
        if rule.order is not None:
            assert torch.equal(rule.order.sort().values, torch.arange(sum(shape[0] for shape in rule.shapes)))


def test_orders() -> None:
    assert scale_first(2).tolist() == [2, 3, 0, 1]
    assert channels_last(2, 2).tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    assert rotated_pairs(2, 4).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_rotation_of_neighbours() -> None:
    x, angles = torch.randn(1, 1, 3, 8), torch.rand(3, 4)
    turned = torch.view_as_real(
        torch.view_as_complex(x.unflatten(-1, (4, 2))) * torch.polar(torch.ones_like(angles), angles)
    ).flatten(-2)
    order = rotated_pairs(1, 8)
    torch.testing.assert_close(apply_rotary(x[..., order], angles), turned[..., order])
