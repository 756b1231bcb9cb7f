import json
import subprocess
import sys
from dataclasses import replace

import pytest
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError

from compose_diffusion.config.paper_images import IMAGE_SAMPLERS
from compose_diffusion.presets import PAPER_CLEVR, PAPER_IMAGENET_128, PAPER_PRESETS


def test_presets_survive_json():
    for preset in PAPER_PRESETS.values():
        assert from_dict(type(preset.config), json.loads(json.dumps(to_dict(preset.config)))) == preset.config


def test_presets_are_read_without_torch():
    code = "import sys, compose_diffusion.config.paper_images; assert not {'torch', 'numpy'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_samplers_of_the_official_code():
    ula, mala, uhmc, hmc = (IMAGE_SAMPLERS[kernel] for kernel in ("ula", "mala", "uhmc", "hmc"))
    for options in IMAGE_SAMPLERS.values():
        assert (options.method, options.last_level, options.clip_x0) == ("reverse-mcmc", 50, 1.0)
    for options, scale in ((ula, 2.0), (mala, 0.035)):
        assert (options.steps_per_level, options.step_law, options.step_scale) == (20, "beta-power", scale)
        assert options.step_power == 1.0
    for options in (uhmc, hmc):
        assert (options.steps_per_level, options.num_leapfrog, options.damping) == (10, 3, 0.7)
        assert (options.step_law, options.step_scale, options.mass) == ("constant", 0.1, 1.0)


def test_what_the_official_clevr_code_sets():
    config = PAPER_CLEVR
    network = config.network
    assert (network.image_size, network.width, network.num_blocks, network.dropout) == (64, 128, 3, 0.1)
    assert (network.attention_sizes, network.form) == ((32, 16, 8), "l2")
    assert (config.network_fit.optimizer.name, config.network_fit.optimizer.lr) == ("adamw", 1e-4)
    assert (config.network_fit.batch_size, config.condition_dropout) == (2 * 16, 0.05)


@pytest.mark.parametrize(
    ("config", "fields", "message"),
    [
        (PAPER_CLEVR, {"dataset": ""}, "dataset is '', expected the name of a folder"),
        (PAPER_CLEVR, {"dataset": "a/b"}, "dataset is 'a/b', expected the name of a folder"),
        (PAPER_CLEVR, {"condition_dropout": 1.5}, "condition_dropout is 1.5"),
        (PAPER_IMAGENET_128, {"condition_dropout": 0.1}, "condition_dropout is 0.1 for a network without null"),
        (PAPER_IMAGENET_128, {"classifier": None}, "classifier and classifier_fit belong together"),
        (
            PAPER_IMAGENET_128,
            {"classifier": replace(PAPER_IMAGENET_128.classifier, image_size=64)},
            "classifier.image_size is 64 and network.image_size 128",
        ),
        (
            PAPER_IMAGENET_128,
            {"network": replace(PAPER_IMAGENET_128.network, form="noise", predicts_variance=True)},
            "training learns no variance",
        ),
    ],
)
def test_impossible_settings_are_refused(config, fields, message):
    with pytest.raises(UsageError, match=message):
        replace(config, **fields)
