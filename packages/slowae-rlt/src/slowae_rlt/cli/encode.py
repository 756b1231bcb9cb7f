"""The verb `encode`: a recording to a file of events, with its figure and its reconstruction on a page."""

from onepaper.display.file_bytes import figure_png, wav_bytes
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from slowae_rlt.cli.options import EncodeOptions
from slowae_rlt.config import LANGUAGES
from slowae_rlt.data.prompts import PROMPT_RATE, prompts
from slowae_rlt.data.recordings import read_recording
from slowae_rlt.events.container import save_events, to_bytes
from slowae_rlt.figures import draw_events
from slowae_rlt.pretrained.codecs import open_codec


def encode_verb(call: Invocation) -> None:
    """The verb `encode`: `events.sae` and a page in the run folder."""
    options: EncodeOptions = call.options
    if (options.audio is None) == (not options.prompt):
        raise UsageError("encode reads one recording: give --audio FILE or --prompt NAME")
    source = options.prompt or str(options.audio)
    if options.dry_run:
        print(f"would encode {source} by {options.weights}")
        return
    use_device(options)
    codec = open_codec(options.weights)
    rate = codec.config.sample_rate
    if options.audio is not None:
        samples = read_recording(options.audio, rate)
    else:
        samples = find_prompt(options.prompt, rate)
    events = codec.encode(samples)
    with call.open_run() as run:
        save_events(events, run.folder / "events.sae")
        files = {
            "recording.png": figure_png(draw_events(events, samples)),
            "recording.wav": wav_bytes(samples, rate),
            "reconstruction.wav": wav_bytes(codec.decode(events, seed=options.seed), rate),
        }
        save_samples(run.folder, files)
        page = write_gallery(run.folder, f"{source} by {options.weights}")
    size = len(to_bytes(events))
    print(
        f"{len(events)} events, {events.rate():.1f} a second; {size} bytes, "
        f"{8 * size / events.seconds:.0f} bits a second"
    )
    print(f"written: {run.folder / 'events.sae'}, {page}")


def find_prompt(name: str, sample_rate: int):  # noqa: ANN201 - samples as of `Prompt`
    """The samples of a shipped recording (`UsageError` if there is none of that name, or at another rate)."""
    from onepaper.config import unknown

    if sample_rate != PROMPT_RATE:
        raise UsageError(f"the prompts have {PROMPT_RATE} Hz, the model {sample_rate}; give --audio FILE")
    language = name.partition("/")[0]
    names = {prompt.name: prompt for prompt in (prompts(language) if language in LANGUAGES else ())}
    if name not in names:
        raise UsageError(unknown("prompt", name, names or [f"{each}/NAME" for each in LANGUAGES]))
    return names[name].samples
