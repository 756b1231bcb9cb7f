"""The verb `train`."""

from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import Run, check_writable
from onepaper.torch.accelerator import Accelerator

from audio_datasets.cli.options import TrainOptions
from audio_datasets.config import EndToEndExperiment, FeaturesExperiment, FineTuningExperiment, MultitaskExperiment
from audio_datasets.finetuning import fine_tune
from audio_datasets.multitask import load_multitask, train_multitask
from audio_datasets.pretrained.networks import Network, save_network
from audio_datasets.selection import Choice
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
    if options.compile and isinstance(config, FineTuningExperiment):
        raise UsageError("--compile is not for encoders, whose batches differ in length; leave it out")
    with Accelerator(options) as accelerator:
        # Inputs are validated before the run folder is created.
        if isinstance(config, MultitaskExperiment):
            labels = load_multitask(config)
            with call.open_run(main_process=accelerator.is_main) as run:
                found = train_multitask(config, run, seed=options.seed, accelerator=accelerator, labels=labels)
                _report(run, found.choice, accelerator)
            return
        clips = load_checked(config)
        with call.open_run(main_process=accelerator.is_main) as run:
            if isinstance(config, FeaturesExperiment):
                _report(
                    run, train_on_features(config, run, seed=options.seed, accelerator=accelerator).choice, accelerator
                )
                return
            if isinstance(config, FineTuningExperiment):
                tuned = fine_tune(config, run, seed=options.seed, accelerator=accelerator)
                _report(run, tuned.choice, accelerator)
                if accelerator.is_main:
                    folder = tuned.network.save(run.folder / "encoder", config.encoder)
                    print(f"encoder: {folder}")
                    print(f"next: onepaper {call.paper.name} evaluate --bank encoder --encoder.folders {folder}")
                return
            model, choice = train_end_to_end(config, run, seed=options.seed, accelerator=accelerator)
            _report(run, choice, accelerator)
            if accelerator.is_main:
                network = Network(model, config.data, clips.classes or clips.targets)
                for folder in filter(None, (run.folder / "pretrained", options.export)):
                    print(f"weights: {save_network(folder, network)}")
                print(f"next: onepaper {call.paper.name} evaluate --weights {run.folder} --split test")


def _report(run: Run, choice: Choice, accelerator: Accelerator) -> None:
    if accelerator.is_main:
        run.write_json("selection.json", choice._asdict())
        print(f"{choice}\nrun folder: {run.folder}")
