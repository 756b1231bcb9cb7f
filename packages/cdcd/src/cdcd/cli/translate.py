"""The verb `translate`: sentences of the command line or of a file."""

import time

from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from cdcd.cli.options import TranslateOptions
from cdcd.data.parallel import read_lines
from cdcd.models.translation import TranslationDiffusion
from cdcd.pretrained.translators import open_translator
from cdcd.translation.decoding import Translator, encode_sources


def translate_verb(call: Invocation) -> None:
    """The verb `translate`: a line for each sentence, on the terminal and in `translations.txt`."""
    options: TranslateOptions = call.options
    if options.dry_run:
        print(f"would translate {options.file or repr(options.text)} by {options.weights}")
        return
    use_device(options)
    sentences = read_lines(options.file) if options.file else [options.text]
    network = open_translator(options.weights, TranslationDiffusion)
    # Sentences are validated before the run folder is created.
    encode_sources(network.codec, sentences, network.model.config.source_length)
    with call.open_run() as run:
        begun = time.perf_counter()
        translator = Translator(network.model, network.codec, options.sampling)
        found = translator.translate(sentences, options.hypotheses, seed=options.seed)
        seconds = time.perf_counter() - begun
        path = run.folder / "translations.txt"
        write_atomic(path, "".join(f"{translation.text}\n" for translation in found))
    for translation in found:
        print(translation.text)
    print(f"{len(found)} sentences in {seconds:.1f} s; {path}")
