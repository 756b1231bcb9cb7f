import pytest
import torch
from onepaper.errors import OnePaperError, UsageError
from sklearn.datasets import load_digits as read

import compose_diffusion.data.digits as data
from compose_diffusion.config.reuse import AttributeConfig, ReuseConfig
from compose_diffusion.data.digits import attribute_images, balanced_labels, ink, ink_threshold, load_digits


def test_digits_are_images_between_minus_one_and_one():
    digits = load_digits("model")
    assert digits.images.shape == (len(digits), 1, 8, 8)
    assert digits.images.dtype == torch.float32
    assert digits.labels.dtype == torch.int64
    assert digits.images.min() == -1
    assert digits.images.max() == 1


def test_splits_are_disjoint_and_complete():
    ours = [tuple(image.tolist()) for split in data.SPLITS for image in load_digits(split).images.flatten(1)]
    theirs = [tuple(image.tolist()) for image in torch.tensor(read().data / 8 - 1, dtype=torch.float32)]
    # No two images of the source are equal, so being in both splits would show as a duplicate.
    assert len(set(ours)) == len(ours) == data.NUM_IMAGES
    assert sorted(ours) == sorted(theirs)


def test_splits_are_stratified_and_labelled_right():
    by_image = {
        tuple(pixels): label
        for pixels, label in zip((read().data / 8 - 1).tolist(), read().target.tolist(), strict=True)
    }
    for split, share in (("model", 2 / 3), ("evaluator", 1 / 3)):
        digits = load_digits(split)
        expected = [by_image[tuple(pixels)] for pixels in digits.images.flatten(1).double().tolist()]
        assert digits.labels.tolist() == expected
        counts = torch.bincount(digits.labels, minlength=10)
        totals = torch.bincount(torch.tensor(read().target), minlength=10)
        assert (counts - share * totals).abs().max() <= 1


def test_balanced_labels():
    assert balanced_labels(12).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert torch.bincount(balanced_labels(200)).tolist() == [20] * 10


def test_unknown_split():
    with pytest.raises(UsageError, match="did you mean 'evaluator'"):
        load_digits("evaluater")


def test_other_images_than_expected_are_refused(monkeypatch):
    monkeypatch.setattr(data, "CONTENT_SHA256", "0" * 64)
    data._bundled.cache_clear()
    with pytest.raises(OnePaperError, match=r"SHA-256 87ff0c9e40dc, expected 000000000000.*reinstall scikit-learn"):
        load_digits("model")
    data._bundled.cache_clear()


def test_attributes_of_the_training_images():
    digits = load_digits("model")
    pixels = (digits.images.double() + 1) / 2
    assert ink_threshold() == pytest.approx(float(pixels.flatten(1).mean(1).median()))
    shape = attribute_images(ReuseConfig().shape, "model")
    assert len(shape) == sum(int((digits.labels == digit).sum()) for digit in (3, 5, 8))
    thick = attribute_images(ReuseConfig().thick, "model")
    assert 0.45 * len(digits) < len(thick) <= 0.5 * len(digits)
    assert ink(thick).min() > ink_threshold()
    both = attribute_images(AttributeConfig(digits=(3, 5, 8), strokes="thick"), "model")
    assert 0 < len(both) < min(len(shape), len(thick))


def test_ink_of_paper_and_of_ink():
    images = torch.stack([torch.full((1, 8, 8), value) for value in (-1.0, 0.0, 1.0, 3.0)])
    assert ink(images).tolist() == [0.0, 0.5, 1.0, 1.0]


def test_attributes_that_no_image_has(monkeypatch):
    monkeypatch.setattr("compose_diffusion.data.digits.ink_threshold", lambda: 1.0)
    with pytest.raises(UsageError, match="no image of split 'model' shows one of .* in thick strokes"):
        attribute_images(ReuseConfig().thick, "model")
