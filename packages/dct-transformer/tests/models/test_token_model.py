"""The token model: probabilities sum to 1, no token sees later ones, and caches do not change anything."""

import itertools

import numpy as np
import torch

from dct_transformer.models.layers import KeyValues
from dct_transformer.models.token_model import TokenModel


def random_model(vocabulary: int = 3) -> TokenModel:
    torch.manual_seed(0)
    model = TokenModel(vocabulary, 16, 2, 2, 0.0).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def test_probabilities_of_all_sequences_sum_to_one() -> None:
    every = torch.tensor(list(itertools.product(range(3), repeat=4)))
    with torch.no_grad():
        nats = random_model()(every, torch.ones_like(every, dtype=torch.bool)).sum(1)
    torch.testing.assert_close(torch.exp(-nats).sum(), torch.tensor(1.0))
    assert nats.std() > 0.1


def test_later_tokens_and_padding_do_not_matter() -> None:
    model = random_model()
    first, second = torch.tensor([[0, 1, 2, 0]]), torch.tensor([[0, 1, 1, 2]])
    with torch.no_grad():
        one, two = (model(tokens, torch.ones_like(tokens, dtype=torch.bool)) for tokens in (first, second))
        part = model(first, torch.tensor([[True, True, False, False]]))
    assert torch.equal(one[:, :2], two[:, :2])
    assert not torch.equal(one[:, 2:], two[:, 2:])
    assert torch.equal(part, torch.cat([one[:, :2], torch.zeros(1, 2)], dim=1))


def test_cached_logits() -> None:
    model, tokens = random_model(), torch.randint(0, 3, (2, 7))
    caches = [KeyValues(7) for _ in model.attention]
    with torch.no_grad():
        together = model.logits(tokens)
        apart = torch.cat([model.logits(tokens[:, index : index + 1], caches) for index in range(7)], dim=1)
    torch.testing.assert_close(apart, together, atol=1e-5, rtol=1e-5)


def test_samples_follow_the_distribution() -> None:
    """Frequencies of first tokens, and of the second after 0, of sequences that end at 2."""
    model = random_model()
    drawn = model.sample(4000, 3, 2, np.random.default_rng(0))
    with torch.no_grad():
        first = model.logits(torch.tensor([[3]]))[0, -1].softmax(-1).numpy()
        second = model.logits(torch.tensor([[3, 0]]))[0, -1].softmax(-1).numpy()
    found = np.bincount([row[0] for row in drawn], minlength=3) / 4000
    np.testing.assert_allclose(found, first, atol=0.03)
    after = [row[1] for row in drawn if row[0] == 0]
    np.testing.assert_allclose(np.bincount(after, minlength=3) / len(after), second, atol=0.05)
    assert all(2 not in row[:-1] for row in drawn)
    assert all(len(row) == 3 or row[-1] == 2 for row in drawn)
