"""The verb `evaluate`: rates, bits and errors on held-out prompts, or on recordings of the user."""

from onepaper.audio import audio_files
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from slowae_rlt.cli.options import EvaluateOptions
from slowae_rlt.data.prompts import Prompt, split_prompts
from slowae_rlt.data.recordings import read_recording
from slowae_rlt.evaluation import evaluate_prompts
from slowae_rlt.pretrained.codecs import open_codec
from slowae_rlt.speech_metrics import voice_activity


def evaluate_verb(call: Invocation) -> None:
    """The verb `evaluate`: prints the results and writes `evaluation.json`."""
    options: EvaluateOptions = call.options
    if options.dry_run:
        source = ", ".join(map(str, options.audio)) or f"held-out prompts in {', '.join(options.languages)}"
        print(f"would evaluate {options.weights} on {source}")
        return
    use_device(options)
    codec = open_codec(options.weights)
    if options.audio:
        recordings = _recordings(options, codec.config.sample_rate)
    else:
        recordings = split_prompts(options.languages)["test"]
    results = evaluate_prompts(codec, recordings)
    with call.open_run() as run:
        run.write_json("evaluation.json", results)
    for name, value in results.items():
        print(f"{name:<28}{value:>10.2f}")
    print(f"written: {run.folder / 'evaluation.json'}")


def _recordings(options: EvaluateOptions, rate: int) -> list[Prompt]:
    files = [file for path in options.audio for file in (audio_files(path) if path.is_dir() else [path])]
    found = []
    for file in files:
        samples = read_recording(file, rate)
        found.append(Prompt(str(file), samples, voice_activity(samples, rate)))
    return found
