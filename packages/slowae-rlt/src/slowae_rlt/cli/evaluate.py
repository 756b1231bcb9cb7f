"""The verb `evaluate`: rates, bits and errors on held-out prompts."""

from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from slowae_rlt.cli.options import EvaluateOptions
from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.evaluation import evaluate_prompts
from slowae_rlt.pretrained.codecs import open_codec


def evaluate_verb(call: Invocation) -> None:
    """The verb `evaluate`: prints the results and writes `evaluation.json`."""
    options: EvaluateOptions = call.options
    if options.dry_run:
        print(f"would evaluate {options.weights} on held-out prompts in {', '.join(options.languages)}")
        return
    use_device(options)
    codec = open_codec(options.weights)
    results = evaluate_prompts(codec, split_prompts(options.languages)["test"])
    with call.open_run() as run:
        run.write_json("evaluation.json", results)
    for name, value in results.items():
        print(f"{name:<28}{value:>10.2f}")
    print(f"written: {run.folder / 'evaluation.json'}")
