"""The run-length Transformer that ships: bits a second on held-out prompts, against n-grams of the same events."""

import functools

from onepaper.claims import ClaimContext, Evidence, Measurement, Sound, Table

from slowae_rlt.config import LANGUAGES, EventSamplingOptions
from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.pretrained.language_models import LanguageModel, open_language_model
from slowae_rlt.run_length.evaluation import bits_by_sequence, sequence_nats
from slowae_rlt.run_length.generation import sample_events
from slowae_rlt.run_length.ngrams import EventNgrams
from slowae_rlt.run_length.sequences import join_levels, successive_sequences

WEIGHTS = "laptop-rlt"

# Orders of the n-grams; more are worse on so few recordings.
ORDERS = (0, 1, 2)

# Seconds of a held-out prompt that the sample in the evidence goes on after.
PROMPT_SECONDS, SAMPLING = 1.0, EventSamplingOptions(nucleus=0.95)


@functools.cache
def _language_model() -> LanguageModel:
    return open_language_model(WEIGHTS)


def language_model(context: ClaimContext) -> Evidence:
    """Bits a second of sequences of held-out prompts by the Transformer and by n-grams, and their differences."""
    del context
    model, codec, _ = _language_model()
    parts, rate = split_prompts(LANGUAGES), codec.config.sample_rate
    levels = {part: join_levels(codec, [prompt.samples for prompt in parts[part]]) for part in ("train", "test")}
    held_out = successive_sequences(levels["test"], model.config)
    grid_rate = codec.config.grid_rate
    own = bits_by_sequence(sequence_nats(model, held_out), held_out, grid_rate)
    others = {
        order: bits_by_sequence(EventNgrams(levels["train"], model.config, order).nats(held_out), held_out, grid_rate)
        for order in ORDERS
    }
    prompt = parts["test"][0]
    given = codec.encode(prompt.samples[: round(PROMPT_SECONDS * rate)])
    sample = sample_events(_language_model(), prompt=given, options=SAMPLING)[0]
    rows = [("run-length Transformer", f"{own.mean():.0f}")]
    rows += [(f"n-grams, order {order}", f"{bits.mean():.0f}") for order, bits in others.items()]
    return Evidence(
        f"{own.mean():.0f} bits a second; n-grams {min(bits.mean() for bits in others.values()):.0f}",
        [
            *(
                Measurement.over_examples(f"bits a second of order {order} minus those of the Transformer", bits - own)
                for order, bits in others.items()
            ),
            Measurement.over_examples("bits a second", own),
        ],
        [
            Table("Mean over held-out sequences", ("model", "bits a second"), rows),
            Sound(f"After the first second of {prompt.name}", codec.decode(sample), rate),
        ],
    )
