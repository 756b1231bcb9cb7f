"""The verb `sample`: pictures of a prompt, and a page that shows them."""

import re
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from onepaper.config import shortened
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.progress import track
from onepaper.torch.accelerator import choose_device

from imagen3.cli.options import SampleOptions
from imagen3.cli.responsibility.watermark import read_key
from imagen3.evaluation.prompt_sets import read_prompts
from imagen3.pretrained.pipelines import pipeline_options, set_distilled_guidance
from imagen3.pretrained.systems import open_system
from imagen3.pretrained.upsamplers import open_upsampler
from imagen3.responsibility.output import finish
from imagen3.responsibility.watermark import SMALLEST_SIDE, Mark
from imagen3.sampling import check_prompts, generate, latent_size
from imagen3.training.averages import averaged_system
from imagen3.upsampling import consistency, upsample

DRAWN_AT_ONCE = 64


def sample_verb(call: Invocation) -> None:
    """Write PNG files and a page into the run folder."""
    options = call.options
    assert isinstance(options, SampleOptions)
    what = repr(options.prompt) if options.prompts is None else f"each prompt of {options.prompts}"
    if options.dry_run:
        print(f"would draw {options.count} pictures of {what} from {options.weights}")
        return
    requested = _requested(options)
    check_prompts([text for _, text in requested], options.seed)  # before the run folder is created
    mark = Mark(read_key(options.watermark), options.payload) if options.watermark else None
    device = choose_device(options.device)
    if options.average is None:
        system = open_system(options.weights).to(device)
    else:
        system = averaged_system(Path(options.weights), options.average).to(device)
    if options.distilled_guidance is not None:
        set_distilled_guidance(system, options.distilled_guidance)
    weak = open_system(options.weak).to(device) if options.weak else None
    upsampler = open_upsampler(options.upsampler).to(device) if options.upscale > 1 else None
    latent_size(system.config, options.size)
    if cut := system.encoder.count_cut(list({text for _, text in requested})):
        subject = "the prompt is" if options.prompts is None else f"{cut:,} prompts are"
        print(f"{subject} longer than {system.config.text.max_tokens} tokens; the rest is cut", file=sys.stderr)
    side = min(options.size or (system.config.data.size,)) * options.upscale * options.scale
    if mark and side < SMALLEST_SIDE:
        raise UsageError(
            f"scale is {options.scale}: files would have {side} pixels a side, expected at least {SMALLEST_SIDE} "
            "to be marked"
        )
    sampling = options.sampling(pipeline_options(system, options.size) if options.size else system.config.sampling)
    average = "averaged" if options.average is None else f"average of relative width {options.average}"
    draw = partial(
        generate, system, options=sampling, seed=options.seed, negative=options.negative, size=options.size, weak=weak
    )
    with call.open_run() as run:
        begun, agreements = time.perf_counter(), []
        for first in track(range(0, len(requested), DRAWN_AT_ONCE), "pictures"):
            names, prompts = zip(*requested[first : first + DRAWN_AT_ONCE], strict=True)
            pictures = draw(prompts, first=first)
            if upsampler is not None:
                small = pictures
                pictures = upsample(upsampler, small, prompts, scale=options.upscale, seed=options.seed, first=first)
                agreements += list(consistency(pictures, small))
            files = finish(pictures, upsample=lambda own: _repeated(own, options.scale), mark=mark)
            shown = {f"{name}.png": file.png for name, file in zip(names, files, strict=True) if file.png}
            save_samples(run.folder, shown)
        seconds = time.perf_counter() - begun
        title = options.prompt if options.prompts is None else options.prompts.name
        page = write_gallery(run.folder, f"{title}, weights {options.weights} ({average}), seed {options.seed}")
    if agreements:
        print(f"reduced again, the pictures agree with the small ones to {np.mean(agreements):.1f} dB")
    print(f"weights: {options.weights}, {average}")
    print(f"{len(requested):,} pictures, {sampling.steps} steps of {sampling.sampler}, in {seconds:.1f} s; {page}")


def _requested(options: SampleOptions) -> list[tuple[str, str]]:
    """The name of the file and the prompt of each picture."""
    if options.prompts is None:
        return [(f"picture-{number}", options.prompt) for number in range(options.count)]
    found = read_prompts(options.benchmark, options.prompts)
    for prompt in found:
        if not re.fullmatch(r"[\w-][\w.-]{0,99}", prompt.id):
            raise UsageError(
                f"{options.prompts}: {shortened(prompt.id)} cannot be the name of a file; expected letters, digits, "
                "points, hyphens and underscores"
            )
    return [(f"{prompt.id}_{number}", prompt.text) for prompt in found for number in range(options.count)]


def _repeated(pictures: np.ndarray, scale: int) -> np.ndarray:
    """Each pixel as a square."""
    return pictures.repeat(scale, axis=1).repeat(scale, axis=2)
