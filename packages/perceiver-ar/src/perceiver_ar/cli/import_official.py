"""The verb `import`: converts a checkpoint of the official code to weights for the other verbs."""

from pathlib import Path

from onepaper.errors import UsageError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from perceiver_ar.cli.options import ImportOptions
from perceiver_ar.config import RESERVED, ExperimentConfig
from perceiver_ar.data.codes import CodesCodec
from perceiver_ar.data.corpus import Codec, check_fits
from perceiver_ar.data.datasets import saved_codec
from perceiver_ar.models.counts import parameter_count
from perceiver_ar.pretrained.checkpoints import Network, save_network
from perceiver_ar.pretrained.official import convert_official, read_official


def _codec_of(config: ExperimentConfig, vocabulary: Path | None) -> Codec | None:
    """The codec of an imported network; None for the copy task."""
    data = config.data
    if data.kind == "copy":
        return None

    def read(name: str) -> bytes:
        if vocabulary is None:
            raise UsageError(f"text in {data.tokens} needs the vocabulary of the training; give it with --vocabulary")
        try:
            return vocabulary.read_bytes()
        except OSError as error:
            raise UsageError(f"{vocabulary} cannot be read as {name} ({error.strerror}); give the file") from None

    if data.kind == "codes":
        return CodesCodec((config.model.vocab_size - RESERVED) // data.codebook_size, data.codebook_size)
    try:
        codec = saved_codec(data, read)
    except UnicodeDecodeError as error:
        raise UsageError(f"{vocabulary} is not UTF-8 text (byte {error.start}); give the vocabulary in words") from None
    except UsageError as error:
        if vocabulary is None or not vocabulary.is_file():
            raise
        raise UsageError(f"{vocabulary}: {error}") from None
    check_fits(config.model, codec)
    return codec


def import_verb(call: Invocation) -> None:
    """The verb `import`: writes a `pretrained` folder for `sample` and `evaluate`.

    Text in pieces or words also needs the vocabulary of the training, which is not in the checkpoint.
    """
    options: ImportOptions = call.options
    config: ExperimentConfig = call.config
    if options.dry_run:
        print(f"would read {options.checkpoint} as the model of {call.preset or 'this configuration'}")
        return
    use_device(options)
    codec = _codec_of(config, options.vocabulary)
    model = convert_official(read_official(options.checkpoint), config.model)
    with call.open_run() as run:
        folder = save_network(run.folder / "pretrained", Network(model, config.data, codec))
    print(f"{parameter_count(config.model):,} parameters: {folder}")
