"""Pictures do not depend on their batch; guidance and prompts as they should be."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError

from imagen3.config import SamplingOptions
from imagen3.pretrained.systems import System, open_system
from imagen3.sampling import from_bytes, generate, picture_generator, sample_latents, to_bytes

PROMPTS = ["a red apple", "a dog", "green leaves in the wind and more words", "bread"]
OPTIONS = SamplingOptions(steps=3)


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp-2m", "ancestral", "churn"])
def test_a_picture_does_not_depend_on_its_batch(system: System, sampler: str) -> None:
    options = replace(OPTIONS, sampler=sampler, churn=1.0)
    whole = sample_latents(system, PROMPTS, options, seed=3)
    for number, prompt in enumerate(PROMPTS):
        alone = sample_latents(system, [prompt], options, seed=3, first=number)
        torch.testing.assert_close(whole[number], alone[0], rtol=1e-4, atol=1e-4)
    in_parts = generate(system, PROMPTS, options, seed=3, batch_size=3)
    assert np.abs(in_parts.astype(int) - generate(system, PROMPTS, options, seed=3)).max() <= 1


def test_weights_of_guidance(system: System) -> None:
    """1 is the conditional model, 0 that of the negative prompt, and equal texts make the weight irrelevant."""

    def draw(prompt: str, weight: float, negative: str = "") -> torch.Tensor:
        return sample_latents(system, [prompt], replace(OPTIONS, guidance=weight), negative=negative)

    torch.testing.assert_close(draw("a dog", 1.0, "a cat"), draw("a dog", 1.0), rtol=0, atol=0)
    torch.testing.assert_close(draw("a dog", 0.0, "a cat"), draw("a cat", 1.0), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(draw("a dog", 7.0, "a dog"), draw("a dog", 1.0), rtol=1e-4, atol=1e-4)
    assert (draw("a dog", 5.0) - draw("a dog", 1.0)).abs().max() > 1e-3


def test_noise_is_of_the_seed_and_number() -> None:
    first = torch.randn(8, generator=picture_generator(1, 2))
    assert torch.equal(first, torch.randn(8, generator=picture_generator(1, 2)))
    for other in ((1, 3), (2, 2), (2**32 - 1, 2)):
        assert not torch.equal(first, torch.randn(8, generator=picture_generator(*other)))


def test_what_ships_draws_the_colours_of_the_prompt() -> None:
    """The middle of a tomato is red, that of a green apple green, and the corners are white."""
    tomato, apple = generate(open_system(), ["a tomato", "a green apple"], replace(OPTIONS, steps=8), seed=1)
    (red, green, blue), other = (picture[24:40, 24:40].mean((0, 1)) for picture in (tomato, apple))
    assert red > 1.8 * max(green, blue)
    assert other[1] > 1.2 * max(other[0], other[2])
    for picture in (tomato, apple):
        assert picture[:3, :3].mean() > 235


def test_other_sizes_and_tiles(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Height and width are those that are asked for, and tiles change a decoded picture little."""
    whole = generate(system, PROMPTS[:1], OPTIONS, size=(64, 96))
    assert whole.shape == (1, 64, 96, 3)
    monkeypatch.setattr("imagen3.sampling.LARGEST_DECODED", 16)
    tiled = generate(system, PROMPTS[:1], OPTIONS, size=(64, 96))
    assert np.abs(tiled.astype(int) - whole).mean() < 3
    with pytest.raises(UsageError, match="size is 60 x 96 pixels, expected multiples of 8"):
        generate(system, PROMPTS[:1], OPTIONS, size=(60, 96))


def test_guidance_away_from_a_weak_system(system: System) -> None:
    """Away from itself is the conditional model; away from another one is not."""
    options = replace(OPTIONS, guidance=3.0)
    plain = generate(system, PROMPTS[:1], replace(OPTIONS, guidance=1.0))
    assert np.array_equal(generate(system, PROMPTS[:1], options, weak=system), plain)
    halved = copy.deepcopy(system)
    for parameter in halved.denoiser.parameters():
        parameter.mul_(0.9)
    assert not np.array_equal(generate(system, PROMPTS[:1], options, weak=halved), plain)


def test_bytes_and_values() -> None:
    pictures = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    assert np.array_equal(to_bytes(from_bytes(pictures)), pictures)
    assert to_bytes(torch.full((1, 3, 1, 1), 7.0)).max() == 255


def test_wrong_values(system: System) -> None:
    for prompts in ([], ["a dog", " "]):
        with pytest.raises(UsageError, match="a prompt is empty"):
            generate(system, prompts)
    with pytest.raises(UsageError, match="seed is 4294967296"):
        generate(system, ["a dog"], seed=2**32)
