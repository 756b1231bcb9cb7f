"""The verb `decode`: a file of events to sound."""

from onepaper.audio import write_wav
from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from slowae_rlt.cli.options import DecodeOptions
from slowae_rlt.events.container import load_events
from slowae_rlt.pretrained.codecs import open_codec


def decode_verb(call: Invocation) -> None:
    """The verb `decode`: `decoded.wav` in the run folder."""
    options: DecodeOptions = call.options
    if options.events is None:
        raise UsageError("decode reads a file of events: give --events FILE.sae")
    if options.dry_run:
        print(f"would decode {options.events} by {options.weights}")
        return
    use_device(options)
    events = load_events(options.events)
    samples = open_codec(options.weights).decode(events, seed=options.seed)
    with call.open_run() as run:
        path = run.folder / "decoded.wav"
        write_wav(path, samples, events.sample_rate)
    print(f"written: {path}, {len(samples) / events.sample_rate:.2f} s")
