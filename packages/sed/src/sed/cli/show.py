"""The verb `show`: the tokens of the forward or the reverse process by step, on the terminal and as a page to scrub."""

import html
import json
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Int
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from sed.cli.options import ShowOptions
from sed.data.corpus import END, PAD, SPECIAL_TOKENS, TextCodec
from sed.data.template import encode_template
from sed.diffusion.neighbours import forward_walk
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import Network, open_network
from sed.sampling import Sampler

# Rows on the terminal; the page has all steps.
ROWS = 16

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.7 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
input {{ width: 100%; }}
mark {{ background: #ffe3b3; }}
b {{ color: #0072b2; }}
</style></head><body>
<h1>{title}</h1>
<p><label for="step">step t = <output id="t"></output></label>
<input id="step" type="range" min="0" max="{last}" value="0"></p>
<p id="text"></p>
<p>Blue: given. Marked: changed since the step before.</p>
<script>
const frames = {frames}, given = {given};
const step = document.getElementById("step"), text = document.getElementById("text");
function show() {{
  const at = Number(step.value), frame = frames[at], before = at ? frames[at - 1].tokens : frame.tokens;
  document.getElementById("t").value = frame.t;
  text.replaceChildren(...frame.tokens.map((token, place) => {{
    const part = document.createElement(given[place] ? "b" : token === before[place] ? "span" : "mark");
    part.textContent = token;
    return part;
  }}));
}}
step.addEventListener("input", show);
show();
</script></body></html>
"""


class Frames(NamedTuple):
    """Tokens as text at each step, and which are given."""

    steps: Sequence[int]
    tokens: Sequence[Sequence[str]]
    given: Sequence[bool]


def show_verb(call: Invocation) -> None:
    """The verb `show`: prints a few steps, and writes `index.html` with all."""
    options: ShowOptions = call.options
    if options.dry_run:
        print(f"would show the {options.process} process of {options.weights}")
        return
    use_device(options)
    network = open_network(options.weights, EmbeddingDiffusion)
    frames = forward_frames(network, options) if options.process == "forward" else reverse_frames(network, options)
    with call.open_run() as run:
        title = f"{options.process} process of {options.weights}, seed {options.seed}"
        path = run.folder / "index.html"
        write_atomic(path, page(frames, title))
    for row in map(int, np.unique(np.linspace(0, len(frames.steps) - 1, ROWS).astype(int))):
        print(f"{frames.steps[row]:>5}  {''.join(frames.tokens[row])}")
    print(f"page: {path}")


def forward_frames(network: Network[EmbeddingDiffusion], options: ShowOptions) -> Frames:
    """The nearest tokens of a noised text (paper, appendix B)."""
    encoded = network.codec.encode(f" {options.text}" if network.codec.kind == "pieces" else options.text)
    schedule = network.model.schedule
    steps = schedule.respaced(min(options.sampling.steps, schedule.steps))[1:]
    table = network.model.table[...]
    walk = forward_walk(table, schedule, encoded, steps, jax.random.key(options.seed), neighbours=1)
    tokens = np.concatenate([encoded[None], walk.tokens])
    return Frames([0, *steps.tolist()], [_texts(network.codec, row) for row in tokens], [False] * len(encoded))


def reverse_frames(network: Network[EmbeddingDiffusion], options: ShowOptions) -> Frames:
    """The tokens of the estimates of one sample (paper, appendix C)."""
    encoded = encode_template(options.template, network.codec, network.model.config.length)
    sampler = Sampler(network.model, options.sampling)
    found = sampler.sample(encoded.tokens[None], encoded.cond_mask[None], seed=options.seed, keep_path=True)
    assert found.path is not None
    rows = np.where(encoded.cond_mask, encoded.tokens, found.path[:, 0])[:, : encoded.shown]
    return Frames(
        sampler.steps.t.tolist(),
        [_texts(network.codec, row) for row in rows],
        encoded.cond_mask[: encoded.shown].tolist(),
    )


def page(frames: Frames, title: str) -> str:
    """A page with a slider over the steps, complete in one file."""
    content = [{"t": step, "tokens": list(row)} for step, row in zip(frames.steps, frames.tokens, strict=True)]
    # A script must not contain the end of one.
    dumped = (json.dumps(value, ensure_ascii=False).replace("<", "\\u003c") for value in (content, list(frames.given)))
    frames_json, given_json = dumped
    return PAGE.format(title=html.escape(title), last=len(content) - 1, frames=frames_json, given=given_json)


def _texts(codec: TextCodec, row: Int[np.ndarray, " tokens"]) -> list[str]:
    """Each token as text; padding as a dot, the end of a document as a sign."""
    signs = {PAD: "·", END: "¶"}
    return [codec.decode(row[at : at + 1]) if token >= SPECIAL_TOKENS else signs[int(token)]
            for at, token in enumerate(row)]  # fmt: skip
