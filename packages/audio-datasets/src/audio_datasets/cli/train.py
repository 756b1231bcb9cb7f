"""The verb `train`."""

from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import check_writable
from onepaper.torch.accelerator import Accelerator

from audio_datasets.cli.options import TrainOptions
from audio_datasets.config import EndToEndExperiment, MultitaskExperiment
from audio_datasets.multitask import load_multitask, train_multitask
from audio_datasets.pretrained.networks import Network, save_network
from audio_datasets.training import load_checked, train_end_to_end, train_on_features


def train_verb(call: Invocation) -> None:
    """The verb `train`: a run folder with logs, checkpoints and, of an end-to-end network, `pretrained/`."""
    config, options = call.config, call.options
    assert isinstance(options, TrainOptions)
    if options.dry_run:
        print(f"would train {call.preset}: {config.loop.steps} steps of batch {config.batch_size}")
        return
    if options.export is not None:
        if not isinstance(config, EndToEndExperiment):
            raise UsageError(f"--export is of networks on raw audio; {call.preset} trains one on functionals")
        check_writable(options.export, "--export")
    with Accelerator(options) as accelerator:
        # Inputs are validated before the run folder is created.
        if isinstance(config, MultitaskExperiment):
            labels = load_multitask(config)
            with call.open_run(main_process=accelerator.is_main) as run:
                train_multitask(config, run, seed=options.seed, accelerator=accelerator, labels=labels)
            print(f"run folder: {run.folder}")
            return
        clips = load_checked(config)
        with call.open_run(main_process=accelerator.is_main) as run:
            if not isinstance(config, EndToEndExperiment):
                train_on_features(config, run, seed=options.seed, accelerator=accelerator)
                print(f"run folder: {run.folder}")
                return
            model = train_end_to_end(config, run, seed=options.seed, accelerator=accelerator)
            if accelerator.is_main:
                network = Network(model, config.data, clips.classes or clips.targets)
                for folder in filter(None, (run.folder / "pretrained", options.export)):
                    print(f"weights: {save_network(folder, network)}")
                print(f"next: onepaper {call.paper.name} evaluate --weights {run.folder} --split test")
