"""A peer is an embedding; its import does not change the number of threads."""

import sys

import pytest
import torch
from onepaper.errors import UsageError

from hares.hear import open_embedding
from hares.pretrained.peers import VoiceActivity


def test_embedding_of_a_peer() -> None:
    pytest.importorskip("silero_vad")
    threads = torch.get_num_threads()
    peer = open_embedding("silero-vad")
    assert isinstance(peer, VoiceActivity)
    assert torch.get_num_threads() == threads
    samples = 0.1 * torch.randn(3, 5000, generator=torch.Generator().manual_seed(0))
    embeddings = peer(samples)
    assert embeddings.shape == (3, 256)
    # Nothing is kept between calls, and clips do not depend on each other.
    assert torch.equal(peer(samples), embeddings)
    torch.testing.assert_close(peer(samples[1:2]), embeddings[1:2], rtol=1e-4, atol=1e-5)


def test_a_peer_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    with pytest.raises(UsageError, match="pip install"):
        open_embedding("silero-vad")
