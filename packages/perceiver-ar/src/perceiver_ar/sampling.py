"""The verb `sample`: continuations as text, MIDI files with piano rolls and sound, pictures or codes, and a page."""

import io
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure
from onepaper.errors import UsageError
from onepaper.gallery import save_samples, write_gallery
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from perceiver_ar.codes import CodesCodec
from perceiver_ar.config import EOS, RESERVED, SOS, SamplingOptions
from perceiver_ar.corpus import Tokens
from perceiver_ar.events import decode, encode
from perceiver_ar.figures import piano_roll_figure, picture_grid
from perceiver_ar.generation import Sampler
from perceiver_ar.images import ImageCodec, read_prompt
from perceiver_ar.midi import midi_bytes, read_midi
from perceiver_ar.music import EventCodec
from perceiver_ar.sound import render, wave_bytes
from perceiver_ar.text import TextCodec, read_text
from perceiver_ar.verb_options import SampleOptions
from perceiver_ar.weights import Network, open_network


def read_document(network: Network, file: Path) -> Tokens:
    """A file of the user's as a whole document of the network's: text, MIDI, a picture, or codes as .npy.

    Raises:
        UsageError: a file that cannot be read or holds nothing, or a network of the copy task.
    """
    codec = network.codec
    if isinstance(codec, TextCodec):
        return codec.encode(read_text(file))
    if isinstance(codec, ImageCodec):
        return np.concatenate([read_prompt(file, codec), [EOS]])
    if isinstance(codec, CodesCodec):
        return codec.encode_file(file)
    if isinstance(codec, EventCodec):
        notes = read_midi(file)
        if not notes:
            raise UsageError(f"{file} holds no notes (drums do not count); give a MIDI file with some")
        return np.concatenate([[SOS], encode(notes), [EOS]])
    raise UsageError("a network of the copy task reads no files; leave them out")


def prompts_of(network: Network, options: SampleOptions) -> list[Tokens]:
    """SOS and what the options say the sequences begin with; for the copy task, halves to mirror.

    Raises:
        UsageError: a prompt of another kind than the network's data, too long a one, or a file that cannot be read.
    """
    codec, file, config = network.codec, options.prompt_file, network.model.config
    if options.prompt and file is not None:
        raise UsageError("both --prompt and --prompt-file are given; give one")
    if codec is None:
        if options.prompt or file is not None:
            raise UsageError("a network of the copy task takes no prompt; leave --prompt and --prompt-file out")
        shape = options.count, config.context_length // 2 - 1
        halves = np.random.default_rng(options.seed).integers(RESERVED, config.vocab_size, shape)
        return [np.concatenate([[SOS], half]) for half in halves]
    if isinstance(codec, TextCodec) and file is None:
        tokens = codec.encode(options.prompt)[:-1]  # it goes on: no EOS
    elif options.prompt:
        raise UsageError(f"--prompt is text, but the network's data are {network.data.kind}; give --prompt-file")
    else:
        tokens = np.array([SOS]) if file is None else read_document(network, file)[:-1]
    whole = len(tokens) - 1
    # Of a picture half is kept where nobody says how much: there is nothing to draw behind the whole of it.
    kept = options.prompt_tokens or (whole // 2 if isinstance(codec, ImageCodec) else whole)
    tokens = tokens[: kept + 1]
    if len(tokens) > config.context_length and not config.needs_coordinates:
        raise UsageError(
            f"the prompt has {len(tokens)} tokens, the network reads {config.context_length}; "
            f"give --prompt-tokens {config.context_length - 1} or fewer"
        )
    return [tokens] * options.count


def sampler_of(network: Network, options: SamplingOptions, reset_fill: int = 0) -> Sampler:
    """What draws sequences of the network's data."""
    config, codec = network.model.config, network.codec
    return Sampler(
        network.model,
        options,
        reset_fill=reset_fill or None,
        allowed=codec.allowed if codec is not None else None,
        coordinates=codec.coordinates if config.needs_coordinates and codec is not None else None,
    )


def continuations(
    network: Network, sampler: Sampler, prompts: Sequence[Tokens], tokens: int, seed: int
) -> list[Tokens]:
    """Prompts and what is drawn behind them, without SOS and EOS; images and copies are as long as they must be.

    Args:
        network: what the tokens mean.
        sampler: of the network.
        prompts: with SOS, equally long.
        tokens: the most to draw for each of the others.
        seed: of the draws.
    """
    codec, given = network.codec, len(prompts[0]) - 1
    stop: int | None = None
    if isinstance(codec, ImageCodec):
        tokens = codec.height * codec.width * codec.channels - given
    elif codec is None:
        tokens = given
    elif not isinstance(codec, CodesCodec):
        stop = EOS
    drawn = sampler.generate([prompt.tolist() for prompt in prompts], tokens, jax.random.key(seed), stop=stop)
    return [np.concatenate([prompt[1:], rest]) for prompt, rest in zip(prompts, drawn, strict=True)]


def sample_files(network: Network, samples: Sequence[Tokens]) -> tuple[dict[str, bytes], list[str]]:
    """Sequences as files by name, and a line on each for the terminal.

    Text: sample-0.txt and so on. Music: .mid, piano roll as .png and a plain rendering as .wav. Images: samples.png,
    all in one grid, and their values as samples.npy. Codes: .npy of [frames, codebooks]. Copies: samples.npy.
    """
    codec = network.codec
    if codec is None:
        return {"samples.npy": array_bytes(np.stack(samples))}, [_told_copy(tokens) for tokens in samples]
    if isinstance(codec, ImageCodec):
        images = np.stack([codec.decode(tokens) for tokens in samples])
        return {"samples.png": png(picture_grid(images, codec.levels)), "samples.npy": array_bytes(images)}, []
    files: dict[str, bytes] = {}
    told = []
    for number, tokens in enumerate(samples):
        name = f"sample-{number}"
        if isinstance(codec, TextCodec):
            text = codec.decode(tokens)
            files[f"{name}.txt"] = text.encode("utf-8")
            told.append(f"{text}\n---")
        elif isinstance(codec, CodesCodec):
            codes = codec.decode(tokens)
            files[f"{name}.npy"] = array_bytes(codes)
            told.append(f"{name}: {len(codes)} frames of {codec.codebooks} codes")
        else:
            notes = decode(tokens)
            files |= {
                f"{name}.png": png(piano_roll_figure(notes)),
                f"{name}.wav": wave_bytes(render(notes)),
                f"{name}.mid": midi_bytes(notes),
            }
            told.append(f"{name}: {len(notes)} notes, {codec.measure(tokens)['seconds']:.1f} s")
    return files, told


def _told_copy(tokens: Tokens) -> str:
    first, second = np.split(tokens, 2)
    right = int((second == first[::-1]).sum())
    halves = " | ".join(" ".join(str(token - RESERVED) for token in half) for half in (first, second))
    return f"{halves}   ({right} of {len(first)} right)"


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()


def array_bytes(array: np.ndarray) -> bytes:
    """An array as the bytes of an .npy file."""
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def sample_verb(call: Invocation) -> None:
    """The verb `sample`: files and a page in the run folder, and what can be read on the terminal."""
    options: SampleOptions = call.options
    use_device(options)
    network = open_network(options.weights)
    prompts = prompts_of(network, options)  # mistakes are told before anything is computed
    sampler = sampler_of(network, options.sampling, options.reset_fill)
    if options.dry_run:
        print(f"would draw {options.count} sequences from {options.weights}")
        return
    with call.open_run() as run:
        begun = time.perf_counter()
        samples = continuations(network, sampler, prompts, options.tokens, options.seed)
        seconds = time.perf_counter() - begun
        files, told = sample_files(network, samples)
        save_samples(run.folder, files)
        page = write_gallery(run.folder, f"{options.count} sequences of {options.weights}, seed {options.seed}")
    for line in told:
        print(line)
    print(f"{options.count} sequences in {seconds:.1f} s; {page}")
