"""The verb `scenes`: composed scenes with captions and counting prompts as a folder."""

import numpy as np
from onepaper.display.file_bytes import picture_png
from onepaper.display.gallery import save_samples
from onepaper.paper import Invocation
from onepaper.progress import track

from imagen3.cli.options import ScenesOptions
from imagen3.data.scenes import draw_scene, prompt_rows, random_scenes, scene_captions
from imagen3.data.tables import table_text


def scenes_verb(call: Invocation) -> None:
    """Write pictures, `NAME.txt` with the short caption of each, and `prompts.csv` in the format of GeckoNum."""
    options = call.options
    assert isinstance(options, ScenesOptions)
    if options.dry_run:
        print(f"would compose {options.count:,} scenes of {options.size} x {options.size} pixels")
        return
    generator = np.random.default_rng(options.seed)
    scenes = random_scenes(options.count, generator, options.size)
    captions = [
        scene_captions(scene, numerals=bool(words))[int(options.long)]
        for scene, words in zip(scenes, generator.random(len(scenes)) < 0.5, strict=True)
    ]
    rows = prompt_rows(scenes, captions)
    table = table_text(list(rows[0]), [list(row.values()) for row in rows])
    with call.open_run() as run:
        for row, scene in track(list(zip(rows, scenes, strict=True)), "scenes"):
            name = f"{row['dataset_id']}_0"
            save_samples(
                run.folder / "pictures",
                {f"{name}.png": picture_png(draw_scene(scene)), f"{name}.txt": row["prompt"].encode()},
            )
        save_samples(run.folder, {"prompts.csv": table.encode()})
        print(f"{options.count:,} scenes: {run.folder / 'pictures'}, prompts: {run.folder / 'prompts.csv'}")
