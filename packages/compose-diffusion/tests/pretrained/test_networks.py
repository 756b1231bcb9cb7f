import pytest
import torch
from diffusers import PixArtTransformer2DModel, UNet2DConditionModel
from onepaper.errors import UsageError
from torch import nn

from compose_diffusion.pretrained.networks import check_weights, network_dtype, network_kind


def test_kinds(make_unet, text_pipeline, class_pipeline, flow_pipeline):
    kind = network_kind(make_unet())
    assert (kind.condition, kind.event_shape, kind.num_classes) == ("none", (1, 8, 8), None)
    kind = network_kind(make_unet(num_class_embeds=5, sample_size=(8, 4)))
    assert (kind.condition, kind.event_shape, kind.num_classes, kind.null_class) == ("class", (1, 8, 4), 5, None)
    kind = network_kind(class_pipeline.transformer)
    assert (kind.condition, kind.event_shape, kind.num_classes, kind.null_class) == ("class", (4, 4, 4), 10, 10)
    for network in (text_pipeline.unet, flow_pipeline.transformer):
        assert (network_kind(network).condition, network_kind(network).event_shape) == ("text", (4, 4, 4))
    assert network_kind(make_unet(sample_size=None)).event_shape is None


def test_compiled_networks_are_known(make_unet):
    compiled = nn.Module()  # as torch.compile wraps it, without the seconds that compiling takes
    compiled._orig_mod = make_unet()
    assert network_kind(compiled).condition == "none"


def test_weights_must_be_finite(make_unet):
    network = make_unet()
    check_weights(network)
    with torch.no_grad():
        network.conv_in.bias[0] = torch.nan
    with pytest.raises(UsageError, match=r"conv_in.bias of UNet2DModel has 1 numbers that are not finite"):
        check_weights(network)


def test_pixart(generator):
    torch.manual_seed(0)
    network = PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        cross_attention_dim=16,
        sample_size=4,
        caption_channels=16,
        norm_num_groups=4,
    ).eval()
    x, text = torch.randn(2, 4, 4, 4, generator=generator), torch.randn(2, 3, 16, generator=generator)
    mask, time = torch.tensor([[1, 1, 0], [1, 1, 1]]), torch.tensor([5, 5])
    kind = network_kind(network)
    with torch.no_grad():
        found = kind.call(network, x, time, {"encoder_hidden_states": text, "encoder_attention_mask": mask})
        expected = network(
            x,
            text,
            timestep=time,
            encoder_attention_mask=mask,
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
        ).sample
    assert found.shape == (2, 8, 4, 4)
    torch.testing.assert_close(found, expected)


def test_stable_diffusion_xl_unets_get_pooled_text_and_size(generator):
    torch.manual_seed(0)
    network = UNet2DConditionModel(
        sample_size=4,
        layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 16,
    ).eval()
    x, text = torch.randn(1, 4, 4, 4, generator=generator), torch.randn(1, 3, 16, generator=generator)
    pooled, time_ids = torch.randn(1, 16, generator=generator), torch.tensor([[8.0, 8.0, 0.0, 0.0, 8.0, 8.0]])
    kind, time = network_kind(network), torch.tensor([5])
    conditions = {"encoder_hidden_states": text, "text_embeds": pooled, "time_ids": time_ids}
    with torch.no_grad():
        found = kind.call(network, x, time, conditions)
        expected = network(x, 5, text, added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}).sample
    torch.testing.assert_close(found, expected)


def test_networks_that_need_more_than_noised_samples(make_unet):
    with pytest.raises(UsageError, match="UNet2DModel maps 3 channels to 1, expected as many"):
        network_kind(make_unet(in_channels=3))
    with pytest.raises(UsageError, match="network is Conv2d, expected one of UNet2DModel, .* wrap others"):
        network_kind(nn.Conv2d(1, 1, 1))


def test_dtype_is_that_of_the_weights():
    assert network_dtype(nn.Linear(2, 2).to(torch.bfloat16)) == torch.bfloat16
    assert network_dtype(nn.Identity()) == torch.float32
