from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from onepaper.accelerator import AcceleratorOptions
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions
from PIL import Image

from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.config.networks import FitConfig, ScheduleConfig
from compose_diffusion.config.paper_images import PaperImagesConfig
from compose_diffusion.diffusion import add_noise, cosine_schedule
from compose_diffusion.models.guided_diffusion import GuidedClassifier, GuidedEnergy, GuidedUNet, build_network
from compose_diffusion.pretrained.checkpoints import open_checkpoint
from compose_diffusion.training.network_training import class_loss
from compose_diffusion.training.paper_images import noise_loss, trainings

TINY = {
    "image_size": 8,
    "width": 32,
    "multipliers": (1, 1),
    "num_blocks": 1,
    "attention_sizes": (4,),
    "head_width": 32,
    "image_channels": 1,
    "schedule": ScheduleConfig("cosine", 20),
}
ENERGY = UNetConfig(**TINY, form="dae", condition="class", num_classes=2, null_condition=True)
CLASSIFIER = EncoderConfig(**TINY, num_classes=2)
FIT = FitConfig(steps=6, batch_size=4, optimizer=OptimizerOptions(lr=1e-3, ema_decay=0.5))
CONFIG = PaperImagesConfig("tiny", ENERGY, FIT, CLASSIFIER, FIT, condition_dropout=0.25)


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """Images whose upper (class 0) or lower (class 1) half is white."""
    folder = tmp_path / "data" / "tiny"
    (folder / "images").mkdir(parents=True)
    rows = ["image,class"]
    for index in range(8):
        pixels = np.zeros((8, 8), np.uint8)
        pixels[:4] = 255
        Image.fromarray(pixels if index % 2 == 0 else pixels[::-1]).save(folder / "images" / f"{index}.png")
        rows.append(f"{index}.png,{index % 2}")
    (folder / "labels.csv").write_text("\n".join(rows))
    monkeypatch.setenv("ONEPAPER_DATA", str(folder.parent))
    return folder


def run_in(folder):
    return Run(folder, {"config": {}})


def accelerator():
    return Accelerator(AcceleratorOptions(device="cpu"))


def randomised(config):
    network = build_network(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def test_a_preset_is_a_list_of_resumable_trainings(dataset, tmp_path):
    listed = trainings(CONFIG)
    assert [(training.name, training.steps) for training in listed] == [("network", 6), ("classifier", 6)]
    assert [training.description for training in listed] == [
        "the energy on 8 examples of tiny",
        "the classifier on 8 examples of tiny",
    ]
    for training, kind in zip(listed, (GuidedEnergy, GuidedClassifier), strict=True):
        run = run_in(tmp_path / training.name)
        run.folder.mkdir()
        part, fitted = training.fit(run, LoopOptions(4, log_every=1, checkpoint_every=2), 0, accelerator())
        assert fitted.step == 4
        resumed, fitted = training.fit(run, LoopOptions(6, log_every=1, checkpoint_every=2), 0, accelerator())
        assert fitted.finished
        whole, _ = training.fit(None, LoopOptions(6), 0, accelerator())
        for name, value in whole.state_dict().items():
            torch.testing.assert_close(resumed.state_dict()[name], value)
        opened = open_checkpoint(resumed.save_pretrained(tmp_path / f"{training.name}-weights"))
        assert isinstance(opened.network, kind)
        assert any(not torch.equal(a, b) for a, b in zip(part.parameters(), resumed.parameters(), strict=True))


def test_training_lowers_the_loss(dataset):
    config = replace(CONFIG, network_fit=replace(FIT, steps=40), classifier_fit=replace(FIT, steps=40))
    for training in trainings(config):
        first = training.fit(None, LoopOptions(2, log_every=2), 0, accelerator())[1].metrics["loss"]
        last = training.fit(None, LoopOptions(40, log_every=10), 0, accelerator())[1].metrics["loss"]
        assert last < 0.9 * first


def test_noise_loss_is_the_error_of_the_predicted_noise(generator):
    network, schedule = randomised(ENERGY), cosine_schedule(20)
    batch = {"images": torch.randn(3, 1, 8, 8, generator=generator), "condition": torch.tensor([0, 1, 1])}
    loss_sum, weight = noise_loss(schedule, 0.0)(network, batch, torch.Generator().manual_seed(5))
    again = torch.Generator().manual_seed(5)
    t = torch.randint(20, (3,), generator=again)
    noise = torch.randn(3, 1, 8, 8, generator=again)
    noised = torch.stack([add_noise(batch["images"][i], noise[i], int(t[i]), schedule) for i in range(3)])
    errors = [((network.noise(noised, t, batch["condition"]) - noise)[i] ** 2).mean() for i in range(3)]
    torch.testing.assert_close(loss_sum, sum(errors))
    assert weight == 3
    assert loss_sum.requires_grad


@pytest.mark.parametrize(
    ("fields", "condition", "null"),
    [
        ({"condition": "class", "num_classes": 2, "null_condition": True}, torch.zeros(400, dtype=torch.long), 2),
        ({"condition": "position", "null_condition": True}, torch.full((400, 2), 0.5), -1),
        ({"condition": "text", "text_dim": 3}, torch.ones(400, 4, 3), 0),
    ],
)
def test_a_share_of_the_conditions_is_withheld(fields, condition, null, generator):
    class Listening(GuidedUNet):
        def noise(self, x, t, condition):
            self.heard = condition
            return x

    model = Listening(UNetConfig(**TINY, **fields))
    batch = {"images": torch.zeros(400, 1, 8, 8), "condition": condition}
    loss = noise_loss(cosine_schedule(20), 0.25)
    loss(model, batch, generator)
    withheld = (model.heard == null).flatten(1 if model.heard.ndim > 1 else 0)
    withheld = withheld.all(dim=1) if withheld.ndim > 1 else withheld
    kept = (model.heard == condition).reshape(400, -1).all(dim=1)
    assert bool((withheld ^ kept).all())
    # Three standard deviations of 400 coins with chance 1/4.
    assert abs(int(withheld.sum()) - 100) < 27


def test_class_loss_is_the_cross_entropy(generator):
    network, schedule = randomised(CLASSIFIER), cosine_schedule(20)
    batch = {"images": torch.randn(3, 1, 8, 8, generator=generator), "condition": torch.tensor([0, 1, 1])}
    loss_sum, weight, more = class_loss(schedule)(network, batch, torch.Generator().manual_seed(5))
    again = torch.Generator().manual_seed(5)
    t = torch.randint(20, (3,), generator=again)
    noised = add_noise(batch["images"], torch.randn(3, 1, 8, 8, generator=again), t, schedule)
    logits = network(noised, t)
    torch.testing.assert_close(loss_sum, -sum(F.log_softmax(logits, 1)[i, batch["condition"][i]] for i in range(3)))
    assert (weight, int(more["accuracy"])) == (3, int((logits.argmax(1) == batch["condition"]).sum()))


def test_missing_data_is_reported_before_anything_is_trained(dataset, monkeypatch):
    (dataset / "labels.csv").unlink()
    with pytest.raises(UsageError, match="tiny lacks labels.csv or labels.npz, expected the 'class' of every image"):
        trainings(CONFIG)
    unconditional = PaperImagesConfig("tiny", UNetConfig(**TINY), FIT)
    assert [training.description for training in trainings(unconditional)] == ["the denoiser on 8 examples of tiny"]
    monkeypatch.delenv("ONEPAPER_DATA")
    with pytest.raises(UsageError, match="where is the dataset 'tiny'. Give its path, or set ONEPAPER_DATA"):
        trainings(CONFIG)
