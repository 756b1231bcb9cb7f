"""The verb `sample`: continuations as text, MIDI files with piano rolls, pictures or codes."""

import io
import time
from collections.abc import Sequence

import jax
import numpy as np
from matplotlib.figure import Figure
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import Run, write_atomic

from perceiver_ar.codes import CodesCodec, read_codes
from perceiver_ar.config import EOS, RESERVED, SOS
from perceiver_ar.corpus import Tokens
from perceiver_ar.events import decode, encode
from perceiver_ar.figures import piano_roll_figure, picture_grid
from perceiver_ar.generation import Sampler
from perceiver_ar.images import ImageCodec
from perceiver_ar.midi import midi_bytes, read_midi
from perceiver_ar.model import PerceiverAR
from perceiver_ar.music import EventCodec
from perceiver_ar.sound import render, wave_bytes
from perceiver_ar.text import TextCodec, read_text
from perceiver_ar.verb_options import SampleOptions
from perceiver_ar.weights import Network, open_network


def prompt_of(network: Network, options: SampleOptions) -> Tokens:
    """SOS and what the options say the sequences begin with.

    Raises:
        UsageError: a prompt of another kind than the network's data, or a file that cannot be read.
    """
    codec, file = network.codec, options.prompt_file
    if options.prompt and file is not None:
        raise UsageError("both --prompt and --prompt-file are given; give one")
    if codec is None or isinstance(codec, ImageCodec):
        if options.prompt or file is not None:
            raise UsageError(f"a network of {network.data.kind} takes no prompt; leave --prompt and --prompt-file out")
        if codec is not None:
            return np.array([SOS])
        config = network.model.config  # a random first half, for the network to mirror
        half = config.context_length // 2 - 1
        symbols = np.random.default_rng(options.seed).integers(RESERVED, config.vocab_size, half)
        return np.concatenate([[SOS], symbols])
    if isinstance(codec, TextCodec):
        tokens = codec.encode(read_text(file) if file is not None else options.prompt)
    elif options.prompt:
        raise UsageError(f"--prompt is text, but the network's data are {network.data.kind}; give --prompt-file")
    elif file is None:
        return np.array([SOS])
    elif isinstance(codec, CodesCodec):
        tokens = codec.encode(read_codes(file))
    else:
        tokens = np.concatenate([[SOS], encode(read_midi(file)), [EOS]])
    tokens = tokens[:-1]  # it goes on: no EOS
    return tokens[: options.prompt_tokens + 1] if options.prompt_tokens else tokens


def draw(network: Network, options: SampleOptions) -> list[Tokens]:
    """Sequences with their prompt, without SOS and EOS."""
    model, codec = network.model, network.codec
    config = model.config
    several = config.adds and len(config.axis_sizes) > 1
    prompt = prompt_of(network, options)
    if len(prompt) > config.context_length:
        raise UsageError(
            f"the prompt has {len(prompt)} tokens, the network reads {config.context_length}; "
            f"give --prompt-tokens {config.context_length - 1} or fewer"
        )
    wanted = options.tokens
    if isinstance(codec, ImageCodec):
        wanted = codec.height * codec.width * codec.channels
    elif codec is None:
        wanted = len(prompt) - 1
    sampler = Sampler(
        model,
        options.sampling,
        reset_fill=options.reset_fill or None,
        allowed=codec.allowed if codec is not None else None,
        coordinates=codec.coordinates if several and codec is not None else None,
    )
    stop = None if isinstance(codec, ImageCodec | CodesCodec) or codec is None else EOS
    drawn = sampler.generate([prompt.tolist()] * options.count, wanted, jax.random.key(options.seed), stop=stop)
    return [np.concatenate([prompt[1:], tokens]) for tokens in drawn]


def write_text(run: Run, codec: TextCodec, samples: Sequence[Tokens]) -> None:
    """`samples.txt`, and the same on the terminal."""
    texts = [codec.decode(tokens) for tokens in samples]
    write_atomic(run.folder / "samples.txt", "\n\n---\n\n".join(texts).encode("utf-8"))
    for text in texts:
        print(f"{text}\n---")


def write_music(run: Run, codec: EventCodec, samples: Sequence[Tokens]) -> None:
    """A .mid file, a piano roll and a plain rendering as sound for each."""
    for number, tokens in enumerate(samples):
        notes = decode(tokens)
        write_atomic(run.folder / f"sample-{number}.mid", midi_bytes(notes))
        write_atomic(run.folder / f"sample-{number}.png", png(piano_roll_figure(notes)))
        write_atomic(run.folder / f"sample-{number}.wav", wave_bytes(render(notes)))
        print(f"sample {number}: {len(notes)} notes, {codec.measure(tokens)['seconds']:.1f} s")


def write_images(run: Run, codec: ImageCodec, samples: Sequence[Tokens]) -> None:
    """`samples.png`, all in one grid, and the values."""
    images = np.stack([codec.decode(tokens) for tokens in samples])
    write_atomic(run.folder / "samples.png", png(picture_grid(images, codec.levels)))
    write_atomic(run.folder / "samples.npy", array_bytes(images))


def write_codes(run: Run, codec: CodesCodec, samples: Sequence[Tokens]) -> None:
    """An .npy file of [frames, codebooks] for each."""
    for number, tokens in enumerate(samples):
        codes = codec.decode(tokens)
        write_atomic(run.folder / f"sample-{number}.npy", array_bytes(codes))
        print(f"sample {number}: {len(codes)} frames of {codec.codebooks} codes")


def write_copies(run: Run, model: PerceiverAR, samples: Sequence[Tokens]) -> None:
    """The sequences, and how many symbols of the second half mirror the first."""
    half = model.config.context_length // 2 - 1
    for tokens in samples:
        right = int((tokens[half:] == tokens[:half][::-1]).sum())
        print(f"{' '.join(str(token - RESERVED) for token in tokens[:half])} | ", end="")
        print(f"{' '.join(str(token - RESERVED) for token in tokens[half:])}   ({right} of {half} right)")
    write_atomic(run.folder / "samples.npy", array_bytes(np.stack(samples)))


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
    """The verb `sample`: files in the run folder, and what can be read on the terminal."""
    options: SampleOptions = call.options
    network = open_network(options.weights)
    prompt_of(network, options)  # mistakes are told before anything is computed
    if options.dry_run:
        print(f"would draw {options.count} sequences from {options.weights}")
        return
    with call.open_run() as run:
        begun = time.perf_counter()
        samples = draw(network, options)
        seconds = time.perf_counter() - begun
        codec = network.codec
        if codec is None:
            write_copies(run, network.model, samples)
        elif isinstance(codec, ImageCodec):
            write_images(run, codec, samples)
        elif isinstance(codec, EventCodec):
            write_music(run, codec, samples)
        elif isinstance(codec, CodesCodec):
            write_codes(run, codec, samples)
        elif isinstance(codec, TextCodec):
            write_text(run, codec, samples)
    print(f"{options.count} sequences in {seconds:.1f} s; {run.folder}")
