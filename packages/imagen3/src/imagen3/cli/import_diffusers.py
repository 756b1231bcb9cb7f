"""The verb `import`: networks and pipelines of the library diffusers as ours."""

from onepaper.paper import Invocation
from onepaper.torch.state_files import save_pretrained

from imagen3.cli.options import ImportOptions
from imagen3.pretrained.diffusers_folders import read_network
from imagen3.pretrained.pipelines import read_pipeline
from imagen3.pretrained.systems import save_system


def import_verb(call: Invocation) -> None:
    """Write `pretrained/` into the run folder: a system, or one network."""
    options = call.options
    assert isinstance(options, ImportOptions)
    if options.dry_run:
        print(f"would read {options.folder}")
        return
    if not (options.folder / "model_index.json").is_file():
        config, tensors = read_network(options.folder)
        with call.open_run() as run:
            folder = save_pretrained(run.folder / "pretrained", tensors, config)
        print(f"{config.kind}, {sum(value.numel() for value in tensors.values()):,} numbers: {folder}")
        print(f"next, in Python: imagen3.open_network({str(folder)!r})")
        return
    system = read_pipeline(options.folder)
    with call.open_run() as run:
        save_system(run.folder / "pretrained", system, half=options.half)
    print(f"text is encoded by the encoders in {system.config.text.path}, which have to stay there")
    print(f"next: onepaper {call.paper.name} sample --weights {run.folder} --prompt 'a tomato'")
