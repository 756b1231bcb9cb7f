import json
from dataclasses import replace

import pytest
import torch
from onepaper.config import to_dict
from onepaper.errors import OnePaperError, UsageError
from onepaper.testing.mutations import fuzz
from safetensors.torch import save_file

from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.diffusion import cosine_schedule, linear_schedule
from compose_diffusion.models.guided_diffusion import GuidedClassifier, GuidedEnergy, GuidedUNet, build_network
from compose_diffusion.presets import PUBLISHED
from compose_diffusion.pretrained.checkpoints import expected_shapes, open_checkpoint, read_tensors, respaced

SMALL = {
    "image_size": 16,
    "width": 32,
    "multipliers": (1, 2),
    "num_blocks": 1,
    "attention_sizes": (8,),
    "head_width": 32,
}
CONFIGS = {
    "noise": UNetConfig(**SMALL, predicts_variance=True),
    "energy": UNetConfig(**SMALL, form="l2", condition="class", num_classes=3, null_condition=True),
    "class": EncoderConfig(**SMALL, num_classes=5),
}


@pytest.fixture
def network():
    return randomised(CONFIGS["noise"])


def randomised(config):
    network = build_network(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("ending", ["pt", "old.pt", "safetensors"])
def test_files_in_the_published_layout_are_loaded(kind, ending, tmp_path, generator):
    saved = randomised(CONFIGS[kind])
    path = tmp_path / f"weights.{ending}"
    if ending == "safetensors":
        save_file(saved.state_dict(), path)
    else:
        torch.save(saved.state_dict(), path, _use_new_zipfile_serialization=not ending.startswith("old"))
    network = open_checkpoint(path, CONFIGS[kind]).network
    assert type(network) is type(saved)
    assert not network.training
    for name, value in saved.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=0, atol=0)
    x, t = torch.randn(2, 3, 16, 16, generator=generator), torch.tensor([3, 500])
    with torch.no_grad():
        torch.testing.assert_close(network(x, t), saved(x, t))


def test_weights_that_are_not_finite_are_named(network, tmp_path):
    state = network.state_dict()
    state["out.2.weight"].view(-1)[5] = torch.inf
    save_file(state, tmp_path / "weights.safetensors")
    with pytest.raises(UsageError, match=r"weights.safetensors: out.2.weight is not finite"):
        open_checkpoint(tmp_path / "weights.safetensors", CONFIGS["noise"])


def test_half_precision_is_read_as_single(network, tmp_path):
    torch.save(network.half().state_dict(), tmp_path / "half.pt")
    again = open_checkpoint(tmp_path / "half.pt", CONFIGS["noise"]).network
    assert {tensor.dtype for tensor in again.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize(
    "wrap", [lambda state: {"state_dict": state}, lambda state: {f"module.{k}": v for k, v in state.items()}]
)
def test_wrapped_states_are_unwrapped(wrap, network, tmp_path):
    torch.save(wrap(network.state_dict()), tmp_path / "wrapped.pt")
    assert read_tensors(tmp_path / "wrapped.pt").keys() == network.state_dict().keys()


@pytest.mark.parametrize("name", ["256x256_diffusion_uncond", "128x128_classifier", "clevr_pos", "ebm-49x1874"])
def test_full_size_files_are_recognised_by_their_tensors(name, tmp_path):
    # Tensors that repeat one number take no room, in the file or once loaded.
    tensors = {key: torch.zeros(1).expand(shape) for key, shape in expected_shapes(PUBLISHED[name]).items()}
    torch.save(tensors, tmp_path / "renamed.pt")
    opened = open_checkpoint(tmp_path / "renamed.pt")
    config = PUBLISHED[name]
    assert opened.network.config == config
    assert opened.event_shape == (3, config.image_size, config.image_size)
    kind = {GuidedUNet: "eps", GuidedEnergy: "energy", GuidedClassifier: "class"}[type(opened.network)]
    assert opened.prediction == kind
    expected = linear_schedule(1000) if config.schedule.kind == "linear" else cosine_schedule(1000)
    assert opened.schedule.same_levels(expected)


@pytest.mark.parametrize("beside", ["weights.json", "config.json"])
def test_a_configuration_beside_the_file(beside, network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    content = {"type": "UNetConfig", "config": to_dict(CONFIGS["noise"])}
    (tmp_path / beside).write_text(json.dumps(content))
    assert open_checkpoint(tmp_path / "weights.pt").network.config == CONFIGS["noise"]
    (tmp_path / beside).write_text(json.dumps({**content, "type": "UnetConfig"}))
    with pytest.raises(UsageError, match="unknown model type 'UnetConfig': did you mean 'UNetConfig'"):
        open_checkpoint(tmp_path / "weights.pt")
    (tmp_path / beside).write_text(json.dumps({"width": 32}))
    with pytest.raises(UsageError, match=f"{beside} lacks 'type' or 'config'"):
        open_checkpoint(tmp_path / "weights.pt")


@pytest.mark.parametrize("kind", CONFIGS)
def test_folders_of_this_package(kind, tmp_path):
    saved = randomised(CONFIGS[kind])
    opened = open_checkpoint(saved.save_pretrained(tmp_path / "model"))
    assert type(opened.network) is type(saved)
    assert opened.network.config == CONFIGS[kind]
    assert opened.event_shape == (3, 16, 16)


def test_networks_that_were_not_published_need_a_configuration(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "mine.pt")
    message = r"\(the first is 'time_embed.0.weight'\) that are of no published network, expected mine.json beside it"
    with pytest.raises(UsageError, match=message):
        open_checkpoint(tmp_path / "mine.pt")
    assert open_checkpoint(tmp_path / "mine.pt", CONFIGS["noise"]).prediction == "eps"


def test_tensors_that_do_not_fit_are_named(network, tmp_path):
    state = network.state_dict()
    state["out.2.weights"] = state.pop("out.2.weight")
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(
        UsageError, match="a.pt does not fit .*'out.2.weight' is missing; 'out.2.weights' is unexpected; give"
    ):
        open_checkpoint(tmp_path / "a.pt", CONFIGS["noise"])
    with pytest.raises(UsageError, match=r"has shape \(128, 32\), expected \(256, 64\) and \d+ more; give"):
        open_checkpoint(tmp_path / "a.pt", replace(CONFIGS["noise"], width=64))


class Harmful:
    def __reduce__(self):
        return (eval, ("print('run')",))


def test_pickles_with_code_are_refused_and_not_run(tmp_path, capsys):
    torch.save({"weight": torch.zeros(1), "more": Harmful()}, tmp_path / "harmful.pt")
    with pytest.raises(UsageError, match="harmful.pt refers to .*eval., expected only arrays") as reported:
        open_checkpoint(tmp_path / "harmful.pt")
    assert "\n" not in str(reported.value)
    assert capsys.readouterr().out == ""


def test_files_that_are_no_checkpoints(tmp_path):
    with pytest.raises(UsageError, match="none.pt does not exist; give a .pt or .safetensors file"):
        open_checkpoint(tmp_path / "none.pt")
    for name in ("text.pt", "text.safetensors"):
        (tmp_path / name).write_text("hello, this is no checkpoint")
        with pytest.raises(OnePaperError, match=f"{name} is damaged or no file of arrays") as reported:
            open_checkpoint(tmp_path / name)
        assert "\n" not in str(reported.value)
    (tmp_path / "empty.pt").touch()
    with pytest.raises(OnePaperError, match="empty.pt is damaged or no file of arrays"):
        open_checkpoint(tmp_path / "empty.pt")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(UsageError, match="list.pt does not hold named tensors"):
        open_checkpoint(tmp_path / "list.pt")


def test_truncated_files(network, tmp_path):
    path = tmp_path / "cut.pt"
    torch.save(network.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(OnePaperError, match="cut.pt is damaged or no file of arrays") as reported:
        open_checkpoint(path)
    assert "\n" not in str(reported.value)


@pytest.mark.parametrize("count", [25, 100, 250, 1000, 1])
def test_respacing_keeps_the_published_time_steps(count):
    schedule = linear_schedule(1000)
    # The published code adds up strides, from the first level to the last.
    place, expected = 0.0, []
    for _ in range(count):
        expected.append(round(place))
        place += 999 / (count - 1) if count > 1 else 1
    fewer, timesteps = respaced(schedule, count)
    assert timesteps.tolist() == expected
    torch.testing.assert_close(fewer.alphas_cumprod, schedule.alphas_cumprod[timesteps])
    torch.testing.assert_close(torch.cumprod(1 - fewer.betas, 0), fewer.alphas_cumprod)
    # Where levels are kept, the nearest of them in log SNR are themselves.
    assert schedule.nearest_levels(fewer).tolist() == expected


def test_respacing_cannot_add_levels():
    with pytest.raises(UsageError, match="num_levels is 11, expected a number from 1 to 10"):
        respaced(cosine_schedule(10), 11)


@pytest.mark.parametrize("count", [60, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_damaged_checkpoints(tmp_path, ending, count):
    path, state = tmp_path / f"a.{ending}", {"first.weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}
    if ending == "pt":
        torch.save(state, path)
    else:
        save_file(state, path)
    fuzz(read_tensors, path, [path.read_bytes()], count)
