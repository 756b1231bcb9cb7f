import math

import torch

from compose_diffusion.models.blocks import ResidualBlock, TimeEmbedding, sinusoidal_embedding


def test_sinusoidal_embedding_by_hand():
    time = torch.tensor([0.0, 3.0])
    embedding = sinusoidal_embedding(time, 4)
    expected = [math.cos(3.0), math.cos(3.0 / 100), math.sin(3.0), math.sin(3.0 / 100)]
    assert embedding[0].tolist() == [1.0, 1.0, 0.0, 0.0]
    torch.testing.assert_close(embedding[1], torch.tensor(expected))


def test_a_residual_block_starts_as_the_identity(generator):
    x, embedding = torch.randn(2, 8, 4, 4, generator=generator), torch.randn(2, 16, generator=generator)
    torch.testing.assert_close(ResidualBlock(8, 8, 16, 0.0)(x, embedding), x)


def test_levels_of_short_schedules_are_stretched():
    assert TimeEmbedding(10, 8)(torch.tensor([0, 9])).shape == (2, 8)
