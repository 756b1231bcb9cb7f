"""The verb `generate`: sound of sampled events, from nothing or going on after a recording."""

from onepaper.display.file_bytes import figure_png, wav_bytes
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from slowae_rlt.cli.encode import find_prompt
from slowae_rlt.cli.options import GenerateOptions
from slowae_rlt.data.recordings import read_recording
from slowae_rlt.events.container import save_events
from slowae_rlt.figures import draw_events
from slowae_rlt.pretrained.language_models import open_language_model
from slowae_rlt.run_length.generation import find_condition, known_events, sample_events
from slowae_rlt.run_length.ranking import rank_samples


def generate_verb(call: Invocation) -> None:
    """The verb `generate`: files of events, their sound and figures, and a page in the run folder."""
    options: GenerateOptions = call.options
    if options.audio is not None and options.prompt:
        raise UsageError("generate goes on after one recording: give --audio FILE or --prompt NAME, or neither")
    source = options.prompt or (str(options.audio) if options.audio is not None else "nothing")
    if options.dry_run:
        print(f"would draw {options.count} sequences after {source} by {options.weights}")
        return
    use_device(options)
    language_model = open_language_model(options.weights)
    codec, prompt = language_model.codec, None
    rate = codec.config.sample_rate
    if source != "nothing":
        samples = read_recording(options.audio, rate) if options.audio is not None else find_prompt(source, rate)
        prompt = codec.encode(samples[: round(options.seconds * rate)])
        known_events(prompt, language_model.model.config.length)  # validated before the run folder is created
    find_condition(language_model.model.config, options.condition)
    with call.open_run() as run:
        found = sample_events(
            language_model,
            options.draws or options.count,
            prompt=prompt,
            options=options.sampling,
            condition=options.condition,
            seed=options.seed,
        )
        if options.draws:
            found = rank_samples(codec, found, options.count, seed=options.seed)
        files = {}
        for number, events in enumerate(found):
            save_events(events, run.folder / f"sample-{number}.sae")
            sound = codec.decode(events, seed=options.seed)
            files[f"sample-{number}.wav"] = wav_bytes(sound, rate)
            files[f"sample-{number}.png"] = figure_png(draw_events(events, sound))
        save_samples(run.folder, files)
        page = write_gallery(run.folder, f"after {source} by {options.weights}, seed {options.seed}")
    for events in found:
        print(f"{len(events)} events in {events.seconds:.2f} s, {events.rate():.1f} a second")
    print(f"page: {page}")
