"""The verb `gallery`."""

from onepaper.paper import Invocation
from onepaper.torch.accelerator import choose_device
from torch import nn

from hares.cli.options import GalleryOptions
from hares.data.mini import mini_task
from hares.gallery import find_neighbours, write_neighbours
from hares.hear import open_embedding


def run(call: Invocation) -> None:
    """Write a page of clips and their nearest neighbours by an embedding; `index.html` in the run folder."""
    options = call.options
    assert isinstance(options, GalleryOptions)
    if options.dry_run:
        print(f"would show {options.queries} clips of {options.task} by {options.embedding}")
        return
    embedding, task = open_embedding(options.embedding), mini_task(options.task, options.prepared)
    if isinstance(embedding, nn.Module):
        embedding.to(choose_device(options.device))
    found = find_neighbours(embedding, task, options.queries, options.neighbours)
    shown = sum(len(each.nearest) for each in found)
    same = sum(clip.label == each.query.label for each in found for clip in each.nearest)
    with call.open_run() as run:
        page = write_neighbours(found, run.folder, f"{options.task}: nearest neighbours by {options.embedding}")
    print(f"{same} of {shown} neighbours have the label of their query")
    print(f"page: {page}")
