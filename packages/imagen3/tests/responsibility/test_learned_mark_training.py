"""Training of the learned watermark: attacks let gradients pass, and the mark can be read after a few steps."""

import numpy as np
import torch

from imagen3.data.emoji import emoji_pictures
from imagen3.pretrained.systems import System
from imagen3.responsibility import learned_mark_training as training
from imagen3.responsibility.learned_mark import SIGNS
from imagen3.sampling import from_bytes


def test_gradients_pass_all_attacks(system: System) -> None:
    pictures = from_bytes(emoji_pictures()[:16]).requires_grad_()
    after = training.attacked(pictures, system.autoencoder, np.random.default_rng(0))
    assert after.shape == pictures.shape
    (after**2).sum().backward()
    assert pictures.grad is not None
    assert (pictures.grad.abs().amax((1, 2, 3)) > 0).all()
    assert torch.equal(after[:2], pictures[:2])
    assert all(not torch.equal(one, other) for one, other in zip(after[2:], pictures[2:], strict=True))


def test_use_changes_values_and_not_gradients() -> None:
    pictures = from_bytes(emoji_pictures()[:3]).requires_grad_()
    after = training.straight_through(pictures, np.random.default_rng(0))
    assert 0 < float((after - pictures).detach().abs().mean()) < 0.2
    after.sum().backward()
    assert pictures.grad is not None
    assert (pictures.grad == 1).all()


def test_a_short_training(system: System) -> None:
    before = [own.clone() for own in system.autoencoder.parameters()]
    models = [training.train_mark(emoji_pictures()[:64], system.autoencoder, steps=4) for _ in range(2)]
    for one, other in zip(*(own.state_dict().values() for own in models), strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(*pair) for pair in zip(before, system.autoencoder.parameters(), strict=True))
    signs = torch.ones(1, SIGNS)
    assert models[0].read(models[0].residual(from_bytes(emoji_pictures()[:1]), signs)).shape == (1, SIGNS)
