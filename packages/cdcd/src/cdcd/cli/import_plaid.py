"""The verb `import`: converts a checkpoint of Plaid's CDCD baseline to a network of this package."""

from onepaper.data import write_sums
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from cdcd.cli.options import ImportOptions
from cdcd.models.counts import count_parameters
from cdcd.pretrained.arrays import write_weights
from cdcd.pretrained.plaid import convert_plaid, read_plaid


def import_verb(call: Invocation) -> None:
    """The verb `import`: writes a `pretrained` folder; the tokenizer is not in the checkpoint."""
    options: ImportOptions = call.options
    if options.dry_run:
        print(f"would read {options.checkpoint} as a network of Plaid")
        return
    use_device(options)
    model = convert_plaid(
        read_plaid(options.checkpoint), length=options.length, t_min=options.t_min, t_max=options.t_max
    )
    with call.open_run() as run:
        folder = run.folder / "pretrained"
        write_weights(folder, model, model.config)
        write_sums(folder)
    print(f"{count_parameters(model.config):,} parameters: {folder}")
    print(f"next: CategoricalDiffusion.from_pretrained('{folder}'), which samples tokens without a text")
