"""The verb `evaluate-language-model`: bits a second of a run-length Transformer and of n-grams."""

from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from slowae_rlt.cli.options import EvaluateLanguageModelOptions
from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.pretrained.language_models import open_language_model
from slowae_rlt.run_length.evaluation import measure_nats
from slowae_rlt.run_length.ngrams import EventNgrams
from slowae_rlt.run_length.sequences import check_levels, join_levels, successive_sequences


def evaluate_language_model_verb(call: Invocation) -> None:
    """The verb `evaluate-language-model`: prints the results and writes `evaluation.json`."""
    options: EvaluateLanguageModelOptions = call.options
    if options.dry_run:
        print(f"would evaluate {options.weights} on held-out prompts in {', '.join(options.languages)}")
        return
    use_device(options)
    model, codec, _ = open_language_model(options.weights)
    parts = split_prompts(options.languages)
    levels = {part: join_levels(codec, [prompt.samples for prompt in parts[part]]) for part in ("train", "test")}
    for part, own in levels.items():
        check_levels(own, model.config, part)
    held_out = successive_sequences(levels["test"], model.config)
    with call.open_run() as run:
        results = {
            f"n-grams, order {order}": measure_nats(
                EventNgrams(levels["train"], model.config, order), held_out, codec.config.grid_rate
            )
            for order in options.orders
        }
        results[options.weights] = measure_nats(model, held_out, codec.config.grid_rate)
        run.write_json("evaluation.json", results)
    print(f"{'':<24}" + "".join(f"{name.replace('_', ' '):>18}" for name in results[options.weights]))
    for name, row in results.items():
        print(f"{name:<24}" + "".join(f"{value:>18.3f}" for value in row.values()))
    print(f"written: {run.folder / 'evaluation.json'}")
