import json
import shutil

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler
from onepaper.data import write_sums
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from compose_diffusion.evaluation.reused_models import SHIPPED_WEIGHTS
from compose_diffusion.pretrained.folders import open_network, open_pipeline


@pytest.fixture
def folder(make_unet, tmp_path):
    DDPMPipeline(make_unet(), DDPMScheduler()).save_pretrained(tmp_path)
    return tmp_path


def change_index(folder, **entries):
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def test_what_was_saved_is_read_back(folder, make_unet):
    for network in (open_pipeline(folder).unet, open_network(folder / "unet")):
        for name, tensor in make_unet().state_dict().items():
            assert torch.equal(network.state_dict()[name], tensor)


def test_weights_in_one_variant_are_found(text_pipeline, tmp_path):
    text_pipeline.save_pretrained(tmp_path, variant="fp16")
    assert (tmp_path / "unet" / "diffusion_pytorch_model.fp16.safetensors").is_file()
    for network in (open_pipeline(tmp_path).unet, open_network(tmp_path / "unet")):
        for name, tensor in text_pipeline.unet.state_dict().items():
            assert torch.equal(network.state_dict()[name], tensor)
    weights = tmp_path / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    weights.rename(weights.with_name("diffusion_pytorch_model.bf16.safetensors"))
    with pytest.raises(UsageError, match="in the variants bf16, fp16, expected one"):
        open_pipeline(tmp_path)


def test_plain_weights_beside_a_variant_are_read(text_pipeline, tmp_path):
    text_pipeline.save_pretrained(tmp_path)
    weights = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    shutil.copyfile(weights, weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    shutil.copyfile(weights, weights.with_name("diffusion_pytorch_model.bf16.safetensors"))
    for name, tensor in open_pipeline(tmp_path).unet.state_dict().items():
        assert torch.equal(text_pipeline.unet.state_dict()[name], tensor)


def test_a_pipeline_saved_without_its_third_text_encoder(flow_pipeline, tmp_path):
    flow_pipeline.save_pretrained(tmp_path)
    assert open_pipeline(tmp_path).text_encoder_3 is None


def test_python_code_is_never_run(folder):
    (folder / "unet" / "model.py").write_text("raise SystemExit")
    for reader in (open_pipeline, lambda folder: open_network(folder / "unet")):
        with pytest.raises(UsageError, match=r"holds Python code \(.*model.py\), which is never run"):
            reader(folder)


def test_pickled_weights_are_refused(folder, make_unet):
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    torch.save(make_unet().state_dict(), weights.with_suffix(".bin"))
    with pytest.raises(UsageError, match="diffusion_pytorch_model.bin in .* is pickled, expected safetensors"):
        open_pipeline(folder)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"unet": ["os", "system"]}, "takes 'unet' from 'os', expected diffusers or transformers"),
        ({"_class_name": ["pipeline", "Mine"]}, r"names the pipeline \['pipeline', 'Mine'\], expected a class"),
        ({"_class_name": "NoSuchPipeline"}, "names the pipeline 'NoSuchPipeline'"),
    ],
)
def test_classes_of_others_are_refused(folder, entries, message):
    change_index(folder, **entries)
    with pytest.raises(UsageError, match=message):
        open_pipeline(folder)


def test_folders_that_hold_something_else(folder, tmp_path):
    with pytest.raises(UsageError, match="nowhere holds no model_index.json, expected the folder of a pipeline"):
        open_pipeline(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="scheduler holds no config.json"):
        open_network(folder / "scheduler")
    (folder / "unet" / "config.json").write_text('{"_class_name": "DDPMScheduler"}')
    with pytest.raises(UsageError, match="names the class 'DDPMScheduler', expected a network"):
        open_network(folder / "unet")
    (folder / "unet" / "config.json").write_text("{")
    with pytest.raises(UsageError, match="config.json is damaged"):
        open_network(folder / "unet")
    (folder / "model_index.json").write_text("[]")
    with pytest.raises(UsageError, match="holds list, expected the settings"):
        open_pipeline(folder)


def test_missing_weights_give_one_line(folder):
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    for reader, what in ((open_pipeline, "a pipeline"), (lambda folder: open_network(folder / "unet"), "a network")):
        with pytest.raises(UsageError, match=f"cannot be read as {what}: ") as caught:
            reader(folder)
        assert "\n" not in str(caught.value)


def test_files_are_compared_with_the_digests_beside_them(folder):
    write_sums(folder)
    open_pipeline(folder)
    settings = folder / "scheduler" / "scheduler_config.json"
    settings.write_text(settings.read_text().replace('"num_train_timesteps": 1000', '"num_train_timesteps": 1001'))
    with pytest.raises(UsageError, match="scheduler_config.json is damaged: its SHA-256 differs"):
        open_pipeline(folder)
    open_network(folder / "unet")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UsageError, match="model.safetensors is damaged: its SHA-256 differs"):
        open_network(folder / "unet")


@pytest.mark.parametrize("name", ["shape", "thick"])
def test_shipped_pipelines_are_verified(tmp_path, name):
    shutil.copytree(SHIPPED_WEIGHTS, tmp_path / "reuse")
    folder = tmp_path / "reuse" / name
    open_pipeline(folder)
    for file in ("model_index.json", "unet/config.json", "scheduler/scheduler_config.json"):
        content = (folder / file).read_bytes()
        for at in range(5, len(content), 61):
            (folder / file).write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
            with pytest.raises(UsageError, match="^[^\\n]*$"):
                open_pipeline(folder)
        (folder / file).write_bytes(content)
    open_pipeline(folder)


def test_weights_that_are_not_finite_are_named(folder, make_unet):
    network = make_unet()
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = torch.nan
    network.save_pretrained(folder / "unet")
    with pytest.raises(UsageError, match=r"model.safetensors: conv_in.* is not finite"):
        open_pipeline(folder)


@pytest.mark.parametrize("name", ["unet/config.json", "scheduler/scheduler_config.json"])
def test_settings_that_are_no_object_ask_no_network(folder, name):
    """Diffusers takes a text for the name of a model on the network, whatever `local_files_only` says."""
    (folder / name).write_text('"someone/model"')
    with pytest.raises(UsageError, match="config.json holds str, expected the settings"):
        open_pipeline(folder)


def test_levels_of_noise_that_take_gigabytes_are_refused(folder):
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(path.read_text().replace('"num_train_timesteps": 1000', '"num_train_timesteps": 2147483648'))
    with pytest.raises(UsageError, match=r"num_train_timesteps is 2147483648, expected at most 1,000,000"):
        open_pipeline(folder)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layers_per_block", 2**31, "layers_per_block is 2147483648, but there are weights of [0-9]+ tensors only"),
        ("layers_per_block", [1, 10**9], "layers_per_block is"),
        ("block_out_channels", [8, 16_160], "a network of [0-9,]{14,} parameters, but its weights have"),
        ("num_class_embeds", 2**31, "a network of [0-9,]{14,} parameters"),
    ],
)
def test_networks_far_larger_than_their_weights_are_refused(folder, name, value, message):
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    for opened in (lambda: open_pipeline(folder), lambda: open_network(folder / "unet")):
        with pytest.raises(UsageError, match=message):
            opened()


@pytest.mark.parametrize("count", [40, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"])
def test_damaged_settings_of_folders_without_checksums(folder, name, count):
    # What is read is not kept, as ten thousand networks take gigabytes.
    fuzz(lambda _: open_pipeline(folder) and None, folder / name, [(folder / name).read_bytes()], count)
