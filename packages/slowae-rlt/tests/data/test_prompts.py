"""What ships is complete, and parts are disjoint."""

import numpy as np

from slowae_rlt.config import LANGUAGES
from slowae_rlt.data.mu_law import decode_mu_law, encode_mu_law
from slowae_rlt.data.prompts import PROMPT_RATE, clips, prompts, split_prompts


def test_prompts() -> None:
    for language, count in zip(LANGUAGES, (300, 12, 20, 20, 19), strict=True):
        found = prompts(language)
        assert len(found) == count
        assert all(len(prompt.samples) == len(prompt.speech) for prompt in found)
        assert 50 < sum(len(prompt.samples) for prompt in found) / PROMPT_RATE < 900
        speech = np.concatenate([prompt.speech for prompt in found])
        assert 0.7 < speech.mean() < 0.99
    samples = prompts("it")[0].samples
    np.testing.assert_array_equal(samples, decode_mu_law(encode_mu_law(samples)).astype(np.float32))


def test_voice_activity_is_where_the_energy_is() -> None:
    found = prompts("fr")
    energy = [np.square(np.concatenate([p.samples[p.speech == on] for p in found])).mean() for on in (True, False)]
    assert energy[0] > 4 * energy[1]


def test_parts() -> None:
    parts = split_prompts()
    names = [{prompt.name for prompt in part} for part in parts.values()]
    assert sum(map(len, names)) == len(set.union(*names)) == 371
    assert [round(len(part) / 371, 1) for part in names] == [0.8, 0.1, 0.1]


def test_clips() -> None:
    found = clips()
    assert len(found) == 40
    assert len({clip.text for clip in found}) == 10
    for clip in found:
        ends = [end for _, end in clip.phones]
        assert clip.phones[0][0] == clip.phones[-1][0] == "pau"
        assert ends == sorted(ends)
        assert abs(ends[-1] - len(clip.samples) / PROMPT_RATE) < 0.05
    lengths = [len(clip.samples) for clip in found[:4]]
    assert lengths == sorted(lengths, reverse=True)
