"""The verb `to-diffusers`: networks of a system as folders that the library diffusers opens."""

from onepaper.paper import Invocation

from imagen3.cli.options import ToDiffusersOptions
from imagen3.pretrained.descriptions import class_of
from imagen3.pretrained.diffusers_folders import write_network
from imagen3.pretrained.systems import open_system


def to_diffusers_verb(call: Invocation) -> None:
    """Write `transformer/` or `vae/` into the run folder."""
    options = call.options
    assert isinstance(options, ToDiffusersOptions)
    if options.dry_run:
        print(f"would write the {options.part} of {options.weights} for diffusers")
        return
    system = open_system(options.weights)
    if options.part == "denoiser":
        name, model, config = "transformer", system.denoiser, system.config.denoiser
    else:
        name, model, config = "vae", system.autoencoder, system.config.autoencoder
    kind = class_of(config)
    with call.open_run() as run:
        folder = write_network(run.folder / name, model, config)
    print(f"next, in Python: diffusers.{kind}.from_pretrained({str(folder)!r})")
