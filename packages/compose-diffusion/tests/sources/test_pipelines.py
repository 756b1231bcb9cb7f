import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler
from onepaper.errors import UsageError
from PIL import Image

from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.pretrained.adapters import from_diffusers
from compose_diffusion.samplers.samplers import draw
from compose_diffusion.sources.pipelines import PipelineSource, decode, open_source
from compose_diffusion.sources.source import Source


def test_pixels_of_an_unconditional_pipeline(make_unet, tmp_path):
    DDPMPipeline(make_unet(), DDPMScheduler()).save_pretrained(tmp_path)
    source = PipelineSource(tmp_path, num_levels=5)
    assert (source.event_shape, source.clip_x0, len(source.schedule)) == ((1, 8, 8), 1.0, 5)
    leaf = source.leaf(None, source.schedule)
    drawn = draw(
        leaf, source.schedule, (3, *source.event_shape), SamplerOptions("reverse"), torch.Generator().manual_seed(0)
    )
    source.write_picture(drawn.x, tmp_path / "picture.png")
    picture = Image.open(tmp_path / "picture.png")
    assert (picture.mode, picture.size) == ("L", (3 * 64, 64))
    assert source.attribute_accuracy(drawn.x, ["3"]) == {}
    opened = open_source(tmp_path, torch.device("cpu"))
    assert isinstance(opened, PipelineSource)
    assert isinstance(opened, Source)
    with pytest.raises(UsageError, match="condition is '3', but the network is unconditional; write its name without"):
        source.leaf("3", source.schedule)


def test_classes_and_prompts(class_pipeline, text_pipeline, tmp_path):
    x = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    class_pipeline.save_pretrained(tmp_path / "classes")
    source = PipelineSource(tmp_path / "classes", guidance_scale=3.0, num_levels=5)
    expected = from_diffusers(class_pipeline, condition=7, guidance_scale=3.0, num_levels=5)
    torch.testing.assert_close(source.leaf("7", source.schedule).evaluate(x, 2).noise, expected.evaluate(x, 2).noise)
    with pytest.raises(UsageError, match="condition is 'cat', expected a number from 0 to 9: a class of the model"):
        source.leaf("cat", source.schedule)
    text_pipeline.save_pretrained(tmp_path / "text")
    source = PipelineSource(tmp_path / "text", guidance_scale=3.0, num_levels=5)
    for condition, settings in (("red", {"prompt": "red", "guidance_scale": 3.0}), (None, {"prompt": ""})):
        found = source.leaf(condition, source.schedule).evaluate(x, 2).noise
        torch.testing.assert_close(found, from_diffusers(text_pipeline, num_levels=5, **settings).evaluate(x, 2).noise)


def test_latents_are_decoded_as_the_pipeline_decodes_them(text_pipeline, flow_pipeline, tmp_path):
    latents = torch.randn(10, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = text_pipeline.vae.decode(latents / text_pipeline.vae.config.scaling_factor).sample.clamp(-1, 1)
    torch.testing.assert_close(decode(text_pipeline, latents), expected, rtol=1e-4, atol=1e-4)
    flow_pipeline.vae.register_to_config(shift_factor=0.5)
    with torch.no_grad():
        moved = latents / flow_pipeline.vae.config.scaling_factor + 0.5
        expected = flow_pipeline.vae.decode(moved).sample.clamp(-1, 1)
    torch.testing.assert_close(decode(flow_pipeline, latents), expected, rtol=1e-4, atol=1e-4)
    text_pipeline.save_pretrained(tmp_path)
    PipelineSource(tmp_path, num_levels=5).write_picture(latents, tmp_path / "picture.png")
    picture = Image.open(tmp_path / "picture.png")
    assert (picture.mode, picture.size) == ("RGB", (8 * 64, 2 * 64))


def test_pictures_of_latents_without_a_decoder_are_refused(make_unet, tmp_path):
    DDPMPipeline(make_unet(), DDPMScheduler()).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="samples have 4 channels, expected 1 .grey. or 3"):
        PipelineSource(tmp_path, num_levels=5).write_picture(torch.zeros(1, 4, 2, 2), tmp_path / "picture.png")


def test_networks_of_any_size_need_one(make_unet, tmp_path):
    DDPMPipeline(make_unet(sample_size=None), DDPMScheduler()).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="leaves sample_size open"):
        PipelineSource(tmp_path)


def test_paths_that_hold_no_pipeline_are_tried_as_checkpoints(tmp_path):
    with pytest.raises(UsageError, match="nothing"):
        open_source(tmp_path / "nothing", torch.device("cpu"))
