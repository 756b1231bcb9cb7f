"""Another weight, configuration or sample is another key."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError

from hares.features.keys import arrays_digest, embedding_identity
from hares.models.encoder import Encoder
from hares.presets import STATISTICS


def test_identities(tiny: Encoder) -> None:
    same, other = copy.deepcopy(tiny), copy.deepcopy(tiny)
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1e-3
    assert embedding_identity(tiny) == embedding_identity(same) != embedding_identity(other)
    changed = replace(STATISTICS, front_end=replace(STATISTICS.front_end, offset=1e-5))
    assert embedding_identity(Encoder(STATISTICS)) != embedding_identity(Encoder(changed))


def test_an_embedding_without_an_identity_is_refused() -> None:
    with pytest.raises(UsageError, match="no text `identity`"):
        embedding_identity(lambda samples: samples)


def test_audio() -> None:
    clips = [np.zeros(4, np.float32), np.ones(3, np.float32)]
    changed = [clips[0], np.array([1, 1, np.nextafter(1, 2, dtype=np.float32)], np.float32)]
    moved = [np.zeros(3, np.float32), np.concatenate([np.zeros(1, np.float32), np.ones(3, np.float32)])]
    assert len({arrays_digest(each) for each in (clips, changed, moved)}) == 3
