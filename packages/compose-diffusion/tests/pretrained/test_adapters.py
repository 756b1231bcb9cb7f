"""Leaves against the pipelines' own loops: without MCMC, one leaf is what diffusers itself would draw."""

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, FlowMatchEulerDiscreteScheduler
from onepaper.errors import UsageError
from torch import nn

from compose_diffusion.algebra.composition import guidance
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import cosine_schedule, score_from_noise
from compose_diffusion.pretrained.adapters import denoiser_of, from_diffusers
from compose_diffusion.samplers.samplers import draw


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def own_loop(unet, scheduler, start, generator, num_levels):
    """The body of DDPMPipeline, from a given start."""
    scheduler.set_timesteps(num_levels)
    image = start
    with torch.no_grad():
        for t in scheduler.timesteps:
            image = scheduler.step(unet(image, t).sample, t, image, generator=generator).prev_sample
    return image


def reverse(leaf, start, generator, variance="posterior"):
    options = SamplerOptions(method="reverse", reverse_variance=variance, clip_x0=leaf.clip_x0)
    return draw(leaf, leaf.schedule, start, options, generator).x


@pytest.mark.parametrize(("variance_type", "variance"), [("fixed_small", "posterior"), ("fixed_large", "beta")])
@pytest.mark.parametrize("clip", [True, False])
def test_one_leaf_without_mcmc_is_the_ddpm_loop_bit_for_bit(make_unet, variance_type, variance, clip):
    unet = make_unet()
    scheduler = DDPMScheduler(
        num_train_timesteps=30, variance_type=variance_type, clip_sample=clip, beta_schedule="squaredcos_cap_v2"
    )
    pipeline = DDPMPipeline(unet, scheduler)
    start = torch.randn(3, 1, 8, 8, generator=seeded(0))
    expected = own_loop(unet, scheduler, start, seeded(), 30)
    assert torch.equal(reverse(from_diffusers(pipeline), start, seeded(), variance), expected)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize(("spacing", "num_levels"), [("leading", 20), ("leading", 10), ("trailing", 10)])
def test_every_prediction_and_spacing_follows_the_ddpm_loop(make_unet, prediction_type, spacing, num_levels):
    unet = make_unet()
    scheduler = DDPMScheduler(num_train_timesteps=20, prediction_type=prediction_type, timestep_spacing=spacing)
    start = torch.randn(3, 1, 8, 8, generator=seeded(0))
    expected = own_loop(unet, scheduler, start, seeded(), num_levels)
    leaf = from_diffusers(unet, scheduler=scheduler, num_levels=num_levels)
    torch.testing.assert_close(reverse(leaf, start, seeded()), expected, rtol=1e-5, atol=1e-5)


def test_a_guided_text_leaf_draws_what_the_pipeline_draws(text_pipeline, tmp_path):
    text_pipeline.save_pretrained(tmp_path)
    start = torch.randn(2, 4, 4, 4, generator=seeded(0))
    expected = text_pipeline(
        ["a red ball"] * 2,
        negative_prompt=["blue"] * 2,
        num_inference_steps=6,
        guidance_scale=4.0,
        latents=start,
        generator=seeded(),
        output_type="latent",
    ).images
    leaf = from_diffusers(tmp_path, prompt="a red ball", negative_prompt="blue", guidance_scale=4.0, num_levels=6)
    torch.testing.assert_close(reverse(leaf, start, seeded()), expected, rtol=1e-4, atol=1e-5)


def test_guidance_inside_a_leaf_is_guidance_of_leaves(text_pipeline):
    x = torch.randn(2, 4, 4, 4, generator=seeded(0))
    inside = from_diffusers(text_pipeline, prompt="red", guidance_scale=4.0, num_levels=5)
    schedule = inside.schedule
    null = from_diffusers(text_pipeline, prompt="", schedule=schedule)
    red = from_diffusers(text_pipeline, prompt="red", schedule=schedule)
    outside = guidance(null, [red], [4.0])
    for t in (0, 4):
        torch.testing.assert_close(inside.evaluate(x, t).noise, outside.evaluate(x, t).noise, rtol=1e-4, atol=1e-5)
    assert from_diffusers(text_pipeline, prompt="red", guidance_scale=1.0).negative is None


def test_a_text_leaf_is_the_network_called_by_hand(text_pipeline):
    leaf = from_diffusers(text_pipeline, prompt=["red", "a blue one"], num_levels=5)
    x = torch.randn(2, 4, 4, 4, generator=seeded(0))
    ids = text_pipeline.tokenizer(
        ["red", "a blue one"], padding="max_length", max_length=16, return_tensors="pt"
    ).input_ids
    with torch.no_grad():
        hidden = text_pipeline.text_encoder(ids)[0]
        expected = text_pipeline.unet(x, torch.tensor([601, 601]), encoder_hidden_states=hidden).sample
    torch.testing.assert_close(leaf.evaluate(x, 3).noise, expected, rtol=1e-5, atol=1e-6)


def test_a_guided_class_leaf_follows_the_formula_of_the_pipeline(class_pipeline, tmp_path):
    class_pipeline.save_pretrained(tmp_path)
    leaf = from_diffusers(tmp_path, condition=3, guidance_scale=4.0, num_levels=8)
    x = torch.randn(2, 4, 4, 4, generator=seeded(0))
    timestep = torch.full((2,), 3 * (1000 // 8))
    with torch.no_grad():
        three, null = (
            class_pipeline.transformer(x, timestep=timestep, class_labels=torch.tensor([label] * 2)).sample[:, :4]
            for label in (3, 10)
        )
    torch.testing.assert_close(leaf.evaluate(x, 3).noise, null + 4.0 * (three - null), rtol=1e-5, atol=1e-5)
    unconditional = from_diffusers(class_pipeline, num_levels=8).evaluate(x, 3)
    torch.testing.assert_close(unconditional.noise, null, rtol=1e-5, atol=1e-5)


def test_a_flow_leaf_is_the_velocity_at_the_same_signal_to_noise_ratio(flow_pipeline, tmp_path):
    flow_pipeline.save_pretrained(tmp_path)
    leaf = from_diffusers(tmp_path, prompt="red", negative_prompt="blue", guidance_scale=3.0, num_levels=10)
    z = torch.randn(2, 4, 4, 4, generator=seeded(0))
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(10)
    for index in (2, 7):
        s, t = float(scheduler.sigmas[index]), 9 - index
        prompts = flow_pipeline.encode_prompt("red", None, None, negative_prompt="blue", negative_prompt_2="blue")
        positive, negative, pooled, negative_pooled = prompts
        with torch.no_grad():
            one, other = (
                flow_pipeline.transformer(
                    hidden_states=z,
                    timestep=torch.full((2,), 1000 * s),
                    encoder_hidden_states=text.expand(2, -1, -1),
                    pooled_projections=pool.expand(2, -1),
                ).sample
                for text, pool in ((positive, pooled), (negative, negative_pooled))
            )
        noise = z + (1 - s) * (other + 3.0 * (one - other))
        x = z / ((1 - s) ** 2 + s**2) ** 0.5
        found = leaf.evaluate(x, t)
        torch.testing.assert_close(found.noise, noise, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.score, score_from_noise(noise, t, leaf.schedule), rtol=1e-4, atol=1e-4)


def test_leaves_of_one_pipeline_share_its_calls(text_pipeline):
    schedule = from_diffusers(text_pipeline, prompt="", num_levels=5).schedule
    leaves = [
        from_diffusers(text_pipeline, prompt=text, guidance_scale=3.0, schedule=schedule) for text in ("red", "ball")
    ]
    rows = []
    hook = text_pipeline.unet.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    both = (leaves[0] & leaves[1]).evaluate(torch.zeros(2, 4, 4, 4), 1)
    hook.remove()
    assert rows == [6]
    apart = leaves[0].evaluate(torch.zeros(2, 4, 4, 4), 1).noise + leaves[1].evaluate(torch.zeros(2, 4, 4, 4), 1).noise
    torch.testing.assert_close(both.noise, apart, rtol=1e-4, atol=1e-5)


def test_two_models_of_other_noise_and_prediction_are_drawn_together(make_unet, tmp_path):
    DDPMPipeline(make_unet(), DDPMScheduler()).save_pretrained(tmp_path / "eps")
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    DDPMPipeline(make_unet(), scheduler).save_pretrained(tmp_path / "v")
    first = from_diffusers(tmp_path / "eps", num_levels=6)
    second = from_diffusers(tmp_path / "v", schedule=first.schedule)
    options = SamplerOptions(
        method="reverse-mcmc", kernel="mala", steps_per_level=1, step_scale=1e-3, clip_x0=1.0, line_points=3
    )
    drawn = draw(first & second, first.schedule, (2, 1, 8, 8), options, seeded())
    assert drawn.x.isfinite().all()
    assert drawn.non_finite == 0
    unmatched = from_diffusers(tmp_path / "v", num_levels=6)
    with pytest.raises(UsageError, match="noise levels that differ from the sampler's"):
        draw(first & unmatched, first.schedule, (2, 1, 8, 8), options, seeded())
    with pytest.raises(UsageError, match="expected the same levels; use match='snr'"):
        from_diffusers(tmp_path / "v", schedule=first.schedule, match="exact")


def test_precision_of_the_network_alone(make_unet):
    pipeline = DDPMPipeline(make_unet(), DDPMScheduler())
    x = torch.randn(2, 1, 8, 8, generator=seeded(0))
    exact = from_diffusers(pipeline, num_levels=5).evaluate(x, 2).noise
    rough = from_diffusers(pipeline, num_levels=5, dtype=torch.bfloat16).evaluate(x, 2)
    assert next(pipeline.unet.parameters()).dtype == torch.bfloat16
    assert rough.noise.dtype == rough.score.dtype == torch.float32
    assert 0 < (rough.noise - exact).abs().max() < 0.1


def test_offloaded_weights_give_the_same_numbers(make_unet):
    pytest.importorskip("accelerate")
    x = torch.randn(2, 1, 8, 8, generator=seeded(0))
    kept = from_diffusers(make_unet(), scheduler=DDPMScheduler(), num_levels=5)
    offloaded = from_diffusers(make_unet(), scheduler=DDPMScheduler(), num_levels=5, offload=True, device="cpu")
    assert next(offloaded.network.parameters()).device.type == "meta"
    assert torch.equal(kept.evaluate(x, 2).noise, offloaded.evaluate(x, 2).noise)
    again = from_diffusers(offloaded.network, scheduler=DDPMScheduler(), num_levels=5, offload=True, device="cpu")
    assert torch.equal(kept.evaluate(x, 2).noise, again.evaluate(x, 2).noise)


def test_class_conditional_unets(make_unet):
    unet = make_unet(num_class_embeds=5)
    x = torch.randn(2, 1, 8, 8, generator=seeded(0))
    each = from_diffusers(unet, scheduler=DDPMScheduler(), num_levels=5, condition=torch.tensor([1, 3]))
    with torch.no_grad():
        one, null = (unet(x, 400, class_labels=torch.tensor(labels)).sample for labels in ([1, 3], [4, 4]))
    torch.testing.assert_close(each.evaluate(x, 2).noise, one, rtol=1e-5, atol=1e-6)
    guided = from_diffusers(
        unet,
        scheduler=DDPMScheduler(),
        schedule=each.schedule,
        condition=torch.tensor([1, 3]),
        null_class=4,
        guidance_scale=2.0,
    )
    torch.testing.assert_close(guided.evaluate(x, 2).noise, 2 * one - null, rtol=1e-5, atol=1e-5)


def test_a_network_from_disk(make_unet, tmp_path):
    unet = make_unet()
    unet.save_pretrained(tmp_path)
    x = torch.randn(2, 1, 8, 8, generator=seeded(0))
    found = from_diffusers(tmp_path, scheduler=DDPMScheduler(), num_levels=5).evaluate(x, 1)
    with torch.no_grad():
        torch.testing.assert_close(found.noise, unet(x, 200).sample)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt": "red"}, "prompt is 'red' for a UNet2DModel alone, expected a pipeline"),
        ({"condition": 2}, "condition is class 2, but the network is unconditional; leave the condition out"),
        ({"guidance_scale": 3.0}, "guidance_scale without a condition for UNet2DModel"),
        ({"guidance_scale": 3.0, "condition": {"a": torch.zeros(1)}}, "guidance_scale is set with tensors"),
        ({"prompt": "red", "condition": 2}, "prompt is 'red' beside a condition"),
        ({"num_levels": 5, "schedule": cosine_schedule(5)}, "num_levels is 5 beside a schedule"),
        ({"scheduler": None}, "UNet2DModel comes without a scheduler"),
    ],
)
def test_what_an_unconditional_network_does_not_take(make_unet, settings, message):
    with pytest.raises(UsageError, match=message):
        from_diffusers(make_unet(), **{"scheduler": DDPMScheduler(), **settings})


def test_what_class_conditional_networks_need(make_unet):
    unet, scheduler = make_unet(num_class_embeds=5), DDPMScheduler()
    with pytest.raises(UsageError, match="has 5 classes and none that stands for any"):
        from_diffusers(unet, scheduler=scheduler)
    with pytest.raises(UsageError, match="class 5 does not exist, expected a number from 0 to 4"):
        from_diffusers(unet, scheduler=scheduler, condition=5)
    with pytest.raises(UsageError, match="names no class that stands for any; pass null_class="):
        from_diffusers(unet, scheduler=scheduler, condition=1, guidance_scale=2.0)


def test_what_text_networks_need(text_pipeline):
    with pytest.raises(UsageError, match='takes text, expected prompt=; prompt="" is its unconditional model'):
        from_diffusers(text_pipeline)
    with pytest.raises(UsageError, match="conditioned on text; pass prompt= instead"):
        from_diffusers(text_pipeline, condition=3)


def test_pipelines_and_networks_of_other_kinds(make_unet):
    with pytest.raises(UsageError, match="network is Linear, expected one of UNet2DModel"):
        from_diffusers(nn.Linear(2, 2), scheduler=DDPMScheduler())
    pipeline = DDPMPipeline(make_unet(), DDPMScheduler())
    pipeline.unet = None
    with pytest.raises(UsageError, match="DDPMPipeline has no unet or transformer"):
        denoiser_of(pipeline)


def test_leaf_and_package_lead_to_the_same_function(make_unet):
    from compose_diffusion import pretrained
    from compose_diffusion.algebra.composition import Leaf

    assert pretrained.from_diffusers is from_diffusers
    leaf = Leaf.from_diffusers(make_unet(), scheduler=DDPMScheduler(), num_levels=5)
    assert len(leaf.schedule) == 5
    with pytest.raises(AttributeError, match="from_nowhere"):
        _ = pretrained.from_nowhere


def test_a_negative_prompt_without_guidance_is_refused(text_pipeline):
    for scale in (None, 1.0):
        with pytest.raises(UsageError, match="negative_prompt is 'blue' without guidance"):
            from_diffusers(text_pipeline, prompt="red", negative_prompt="blue", guidance_scale=scale)
