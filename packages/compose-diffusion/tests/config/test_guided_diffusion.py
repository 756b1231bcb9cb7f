import json

import pytest
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError

from compose_diffusion.config.guided_diffusion import BackboneConfig, EncoderConfig, UNetConfig
from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.presets import PUBLISHED


def test_published_configurations_survive_json():
    for config in PUBLISHED.values():
        assert from_dict(type(config), json.loads(json.dumps(to_dict(config)))) == config


def test_unconditional_256_as_its_publishers_describe_it():
    config = PUBLISHED["256x256_diffusion_uncond"]
    assert isinstance(config, UNetConfig)
    assert config.channels == (256, 256, 512, 512, 1024, 1024)
    assert [2**level for level in range(6) if config.attends(2**level)] == [8, 16, 32]
    assert [config.heads(channels) for channels in config.channels[3:]] == [8, 16, 16]
    assert (config.condition, config.predicts_variance, config.attention_order) == ("none", True, "heads-first")
    assert config.schedule == ScheduleConfig("linear", 1000, 1e-4, 0.02)


def test_number_of_heads_replaces_their_width():
    assert BackboneConfig(num_heads=4).heads(256) == 4
    assert BackboneConfig(head_width=64).heads(256) == 4
    assert PUBLISHED["128x128_diffusion"].heads(1024) == 4


def test_unknown_choices_are_refused():
    for kind, field in ((UNetConfig, "form"), (UNetConfig, "condition"), (EncoderConfig, "pool")):
        with pytest.raises(UsageError, match=f"file: {field}: unknown value 'square': expected one of"):
            from_dict(kind, {field: "square"}, "file")


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (UNetConfig, {"width": 48}, "48 channels, expected a multiple of 32"),
        (UNetConfig, {"multipliers": ()}, "multipliers is empty"),
        (UNetConfig, {"multipliers": (1, -1)}, "multipliers is -1, expected a number above 0"),
        (UNetConfig, {"image_size": 20}, "image_size is 20, expected a multiple of 8 for 4 resolutions"),
        (UNetConfig, {"head_width": 48}, "head_width is 48, expected a divisor of"),
        (UNetConfig, {"num_heads": 5}, "num_heads is 5, expected a divisor of"),
        (UNetConfig, {"dropout": 1.0}, "dropout is 1.0"),
        (UNetConfig, {"condition": "class"}, "num_classes is 0 with condition 'class', expected a number above 0"),
        (UNetConfig, {"num_classes": 3}, "num_classes is 3 with condition 'none'"),
        (UNetConfig, {"condition": "text"}, "text_dim is 0 with condition 'text'"),
        (UNetConfig, {"null_condition": True}, "null_condition is set with condition 'none'"),
        (UNetConfig, {"form": "dae", "predicts_variance": True}, "form 'dae' is an energy, which predicts no variance"),
        (EncoderConfig, {"num_classes": 0}, "num_classes is 0, expected a number above 0"),
    ],
)
def test_impossible_settings_are_refused(kind, fields, message):
    with pytest.raises(UsageError, match=message):
        kind(**fields)
