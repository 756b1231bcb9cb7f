"""The verb `sample`: continuations of prompts as text, music, images or codes, and a page that shows them."""

import time

from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.weights import find_weights

from perceiver_ar.cli.options import SampleOptions
from perceiver_ar.config import ModelConfig
from perceiver_ar.data.corpus import Tokens
from perceiver_ar.data.formats import Prompt, SampleFormat, sample_format
from perceiver_ar.generation.samples import continuations, make_sampler
from perceiver_ar.pretrained.checkpoints import check_network, open_network


def encode_prompts(data_format: SampleFormat, config: ModelConfig, options: SampleOptions) -> list[Tokens]:
    """SOS and the prompt, once for each sequence.

    Raises:
        UsageError: a prompt of another kind than the network's data or too long a one, or a file that cannot be read.
    """
    if options.prompt and options.prompt_file is not None:
        raise UsageError("both --prompt and --prompt-file are given; give one")
    prompt = Prompt(options.prompt, options.prompt_file, options.prompt_tokens)
    encoded = [data_format.encode_prompt(prompt, options.seed + number) for number in range(options.count)]
    length = len(encoded[0])
    if options.prompt_file is not None and length == 1:
        raise UsageError(f"{options.prompt_file} is empty, expected at least one symbol; leave --prompt-file out")
    if length > config.context_length and not config.needs_coordinates:
        raise UsageError(
            f"the prompt has {length} tokens, expected at most {config.context_length}, the context length; "
            f"give --prompt-tokens {config.context_length - 1} or fewer"
        )
    return encoded


def sample_verb(call: Invocation) -> None:
    """The verb `sample`: files and a page in the run folder, and a summary of each sequence on the terminal."""
    options: SampleOptions = call.options
    use_device(options)
    folder = str(find_weights(options.weights, call.paper.module))
    check_network(folder)
    network = open_network(folder)
    config = network.model.config
    data_format = sample_format(network.codec, config)
    prompts = encode_prompts(data_format, config, options)  # inputs are validated before the run folder is created
    sampler = make_sampler(network.model, network.codec, options.sampling, options.reset_fill)
    if options.dry_run:
        print(f"would draw {options.count} sequences from {options.weights}")
        return
    with call.open_run() as run:
        begun = time.perf_counter()
        samples = continuations(data_format, sampler, prompts, options.tokens, options.seed)
        seconds = time.perf_counter() - begun
        save_samples(run.folder, data_format.files(samples, given=len(prompts[0]) - 1))
        page = write_gallery(run.folder, f"{options.count} sequences of {options.weights}, seed {options.seed}")
    for number, tokens in enumerate(samples):
        if summary := data_format.summary(tokens):
            print(f"sample-{number}: {summary}")
    print(f"{options.count} sequences in {seconds:.1f} s; {page}")
