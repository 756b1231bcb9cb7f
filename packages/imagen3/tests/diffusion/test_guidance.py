"""Guidance by hand."""

import torch
from torch import Tensor

from imagen3.config import SamplingOptions
from imagen3.diffusion.guidance import guide, guided_velocity, limit_norm, project
from imagen3.text.encoder import Denoiser, TextFeatures


def features(value: float, batch: int = 2) -> TextFeatures:
    return TextFeatures(torch.full((batch, 1, 1), value), torch.ones(batch, 1, dtype=torch.bool), torch.zeros(batch, 1))


def test_weights_and_rescaling() -> None:
    conditional, unconditional = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(guide(conditional, unconditional, 3.0), 3 * conditional - 2 * unconditional)
    rescaled = guide(conditional, unconditional, 5.0, rescale=1.0)
    torch.testing.assert_close(rescaled.std(dim=(1, 2, 3)), conditional.std(dim=(1, 2, 3)))
    half = guide(conditional, unconditional, 5.0, rescale=0.5)
    torch.testing.assert_close(half, (rescaled + guide(conditional, unconditional, 5.0)) / 2)


def test_projection() -> None:
    picture = torch.randn(2, 3, 4, 4)
    orthogonal = project(torch.randn(2, 3, 4, 4), picture, 0.0)
    assert (orthogonal * picture).sum(dim=(1, 2, 3)).abs().max() < 1e-4
    torch.testing.assert_close(project(orthogonal + 2 * picture, picture, 0.25), orthogonal + 0.5 * picture)
    assert torch.equal(project(picture, torch.zeros_like(picture), 0.0), picture)


def test_projected_guidance_leaves_the_size_of_the_picture() -> None:
    """The guided picture minus the conditional one is orthogonal to the conditional one."""
    outputs = torch.randn(4, 3, 4, 4)
    options = SamplingOptions(guidance=4.0, parallel=0.0)
    z, t = torch.randn(2, 3, 4, 4), 0.6
    found = guided_velocity(lambda *_: outputs, features(2.0), features(1.0), options)(z, t)
    conditional = z - t * outputs[:2]
    moved = z - t * found - conditional
    assert (moved * conditional).sum(dim=(1, 2, 3)).abs().max() < 1e-3
    assert moved.square().sum() > 1


def test_calls_of_the_denoiser() -> None:
    """One call for both predictions, and half a batch where guidance has no effect."""
    sizes = []

    def denoiser(z: Tensor, t: Tensor, text: TextFeatures) -> Tensor:
        sizes.append(len(z))
        return text.tokens[:, :, :, None].expand_as(z)

    z = torch.zeros(2, 1, 1, 1)
    velocity = guided_velocity(
        denoiser, features(2.0), features(1.0), SamplingOptions(guidance=3.0, interval=(0.2, 0.8))
    )
    assert velocity(z, 0.5).unique().item() == 4.0
    assert velocity(z, 0.9).unique().item() == 2.0
    assert sizes == [4, 2]
    assert guided_velocity(denoiser, features(2.0), features(1.0), SamplingOptions(guidance=0.0))(z, 0.5).unique() == 1


def test_momentum_and_limit_by_hand() -> None:
    """Two steps: the difference of pictures, with what the first step left, scaled to the limit."""
    outputs, z = torch.randn(2, 4, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.randn(2, 3, 4, 4)
    options = SamplingOptions(guidance=3.0, momentum=-0.5, norm_limit=2.0)
    calls = iter(outputs)
    velocity = guided_velocity(lambda *_: next(calls), features(2.0), features(1.0), options)
    running = torch.zeros(2, 3, 4, 4)
    for t, both in zip((0.8, 0.3), outputs, strict=True):
        conditional, unconditional = z - t * both[:2], z - t * both[2:]
        running = conditional - unconditional - 0.5 * running
        norm = running.flatten(1).norm(dim=1)[:, None, None, None]
        assert (norm > 2).all()
        expected = conditional + 2 * running * 2 / norm
        torch.testing.assert_close(z - t * velocity(z, t), expected, rtol=1e-4, atol=1e-4)


def test_limit_leaves_short_differences() -> None:
    short = torch.full((1, 3, 2, 2), 0.1)
    assert torch.equal(limit_norm(short, 2.0), short)
    assert torch.equal(limit_norm(torch.zeros(1, 3, 2, 2), 2.0), torch.zeros(1, 3, 2, 2))


def test_a_weak_network_takes_the_place_of_the_empty_text() -> None:
    z = torch.zeros(2, 1, 1, 1)

    def network(factor: float) -> Denoiser:
        return lambda z, t, text: factor * text.tokens[:, :, :, None].expand_as(z)

    velocity = guided_velocity(
        network(1.0), features(2.0), features(9.0), SamplingOptions(guidance=3.0), weak=network(0.5)
    )
    assert velocity(z, 0.5).unique().item() == 1.0 + 3.0 * (2.0 - 1.0)
