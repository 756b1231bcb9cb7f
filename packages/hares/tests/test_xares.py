"""What the checker of X-ARES asks of an encoder, and that its embeddings are those of HEAR."""

import pytest
import torch

from hares.hear import get_timestamp_embeddings, load_model
from hares.xares import XaresEncoder


@pytest.mark.parametrize("shape", [(2, 20_000), (9000,)])
def test_interface(shape: tuple[int, ...]) -> None:
    encoder = XaresEncoder()
    assert type(encoder).__name__.endswith("Encoder")
    audio = 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = encoder(audio)
    times = shape[-1] // (encoder.sampling_rate * encoder.hop_size_in_ms // 1000)
    assert found.shape == (len(audio) if len(shape) > 1 else 1, times, encoder.output_dim)
    expected, _ = get_timestamp_embeddings(audio.reshape(-1, shape[-1]), load_model())
    torch.testing.assert_close(found, expected)
