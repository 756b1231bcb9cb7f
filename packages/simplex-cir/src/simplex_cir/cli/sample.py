"""The verb `sample`."""

import time

from onepaper.checkpoints import read_pretrained
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.weights import find_weights

from simplex_cir.config import NUCLEOTIDES, ModelConfig, SampleOptions
from simplex_cir.data.dataset import decode
from simplex_cir.data.pictures import sample_files
from simplex_cir.data.sequences import splice_sites
from simplex_cir.models.denoiser import SimplexDenoiser
from simplex_cir.sampling import draw_from, known_tokens


def as_lines(text: str) -> str:
    """A sequence for the terminal: images and grids as squares, other sequences on one line."""
    side = round(len(text) ** 0.5)
    if side**2 != len(text) or len(text) < 16 or " " in text:
        return text
    return "\n".join(text[row * side : (row + 1) * side] for row in range(side)) + "\n"


def sample_verb(call: Invocation) -> None:
    """Print sequences and write `samples.txt`, `samples.json`, `samples.png` (except for text), and a page with
    them."""
    options: SampleOptions = call.options
    use_device(options)
    folder = find_weights(options.weights, call.paper.module)
    # Options are validated before weights are loaded.
    config, _ = read_pretrained(folder, ModelConfig)
    known = known_tokens(config, options)
    if options.dry_run:
        print(
            f"would draw {options.count} sequences of {options.weights} by {options.sampler} in {options.steps} steps"
        )
        return
    with call.open_run() as run:
        model = SimplexDenoiser.from_pretrained(folder)
        begun = time.perf_counter()
        tokens = draw_from(model, options)
        seconds = time.perf_counter() - begun
        texts = decode(tokens, config.symbols)
        run.write_json("samples.json", {"samples": texts, "seconds": round(seconds, 3)})
        shipped_data = splice_sites().train if (config.symbols, config.positions) == (NUCLEOTIDES, 9) else None
        summary = f"{options.count} sequences of {options.weights} by {options.sampler}, {options.steps} steps"
        save_samples(run.folder, sample_files(tokens, config, shipped_data, known))
        page = write_gallery(run.folder, summary)
    for text in texts:
        print(as_lines(text))
    print(f"{summary}, {seconds:.1f} s; {page}")
