"""The verb `compare-codecs`: this package's codecs beside Codec2 and Opus on held-out prompts."""

import math

from onepaper.display.file_bytes import wav_bytes
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from slowae_rlt.cli.options import CompareCodecsOptions
from slowae_rlt.codec_comparison import SpeechCodec, align, compare_codecs, events_codec, open_peer, vq_codec
from slowae_rlt.data.prompts import PROMPT_RATE, split_prompts
from slowae_rlt.pretrained.codecs import open_codec, open_vq


def compare_codecs_verb(call: Invocation) -> None:
    """The verb `compare-codecs`: a table, `comparison.json` and a page of players in the run folder."""
    options: CompareCodecsOptions = call.options
    if options.dry_run:
        names = (*options.weights, *options.vq_weights, *options.peers)
        print(f"would compare {', '.join(names)} on {options.count} held-out prompts")
        return
    use_device(options)
    codecs: dict[str, SpeechCodec] = {}
    for name in options.weights:
        codec = open_codec(name)
        if codec.config.sample_rate != PROMPT_RATE:
            raise UsageError(f"{name} has {codec.config.sample_rate} Hz, the prompts {PROMPT_RATE}; leave it out")
        codecs[name] = events_codec(codec)
    for name in options.vq_weights:
        model = open_vq(name)
        if model.config.sample_rate != PROMPT_RATE:
            raise UsageError(f"{name} has {model.config.sample_rate} Hz, the prompts {PROMPT_RATE}; leave it out")
        codecs[name] = vq_codec(model)
    codecs |= {name: open_peer(name) for name in options.peers}
    prompts = split_prompts(options.languages)["test"][: options.count]
    with call.open_run() as run:
        table = compare_codecs(codecs, prompts, options.metrics)
        run.write_json("comparison.json", _without_nan(table))
        example = prompts[0].samples
        files = {"recording.wav": wav_bytes(example, PROMPT_RATE)}
        for name, code in codecs.items():
            sound = align(code(example).sound, example)
            files[f"{name.replace('/', '-')}.wav"] = wav_bytes(sound, PROMPT_RATE)
        save_samples(run.folder, files)
        page = write_gallery(run.folder, f"{prompts[0].name} by {len(codecs)} codecs")
    columns = list(next(iter(table.values())))
    print(f"| codec | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for name, row in table.items():
        print(f"| {name} | {row[columns[0]]:.0f} | {' | '.join(f'{row[column]:.2f}' for column in columns[1:])} |")
    print(f"{len(prompts)} prompts; page: {page}")


def _without_nan(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        name: {column: None if math.isnan(value) else value for column, value in row.items()}
        for name, row in table.items()
    }
