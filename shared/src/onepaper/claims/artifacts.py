"""What a claim shows (plots, pictures, sound, tables) as parts of a page, and as small files beside its result."""

import base64
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from onepaper.claims.evidence import Artifact, ImageGrid, Note, Plot, Sound, Table
from onepaper.runs import write_atomic

FIGURES = "figures"
# Recorded files are committed and are part of the wheel.
FILE_BYTES, FOLDER_BYTES = 40_000, 1_000_000
_DOTS_PER_INCH = 160
# CSS pixels an inch.
_CSS_PIXELS = 96
# Dots an inch and colours of a recorded plot: the first that is small enough.
_PLOT_SIZES = ((160, 64), (120, 64), (96, 32), (72, 16))
# Gap between recorded pictures of a grid, in their own pixels.
_GAP = 1


@dataclass(frozen=True)
class RecordedArtifact:
    """What remains of an artifact beside a recorded result.

    A plot or a grid of images becomes a PNG file, sound a WAV file, with its digest; tables and notes stand here. An
    artifact that is too large to be committed becomes a note that says so.
    """

    kind: Literal["picture", "sound", "table", "note"]
    title: str = ""
    caption: str = ""
    file: str = ""
    sha256: str = ""
    width: int = 0
    """of a picture on a page, in CSS pixels"""
    enlarged: bool = False
    """whether the pixels of a picture are shown as squares"""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""


# ----------------------------------------------------------------------------------------------------- parts of a page


def page_part(artifact: Artifact) -> dict[str, Any]:
    """An artifact as what its part of the report's template needs; a note where it cannot be drawn."""
    try:
        return _page_part(artifact)
    except Exception as error:  # numbers are reported whatever a figure holds
        return {"kind": "note", "text": _not_drawn(artifact, error)}


def _page_part(artifact: Artifact) -> dict[str, Any]:
    from onepaper.display.file_bytes import picture_png, wav_bytes

    if isinstance(artifact, Plot):
        part = {"title": artifact.title, "caption": artifact.caption}
        if not artifact.clouds:
            return {"kind": "plot", **part, "svg": _inline_svg(artifact)}
        picture = _figure_bytes(artifact, "png")
        return {
            "kind": "picture",
            **part,
            "source": data_uri("image/png", picture),
            "width": _css_width(picture, _DOTS_PER_INCH),
            "enlarged": False,
        }
    if isinstance(artifact, ImageGrid):
        height, width = artifact.images.shape[1:3]
        pictures, labels = _bytes_of_images(artifact), artifact.labels or [""] * len(artifact.images)
        return {
            "kind": "grid",
            "title": artifact.title,
            "caption": artifact.caption,
            "columns": min(artifact.columns, len(artifact.images)),
            "width": width * artifact.upscale,
            "height": height * artifact.upscale,
            "images": [
                {"source": data_uri("image/png", picture_png(picture)), "label": label}
                for picture, label in zip(pictures, labels, strict=True)
            ],
        }
    if isinstance(artifact, Sound):
        source = data_uri("audio/wav", wav_bytes(artifact.samples, artifact.sample_rate))
        return {"kind": "sound", "title": artifact.title, "caption": artifact.caption, "source": source}
    if isinstance(artifact, Table):
        return {"kind": "table", "title": artifact.title, "header": artifact.header, "rows": _cells(artifact)}
    if isinstance(artifact, Note):  # pyright: ignore[reportUnnecessaryIsInstance] - a caller without types can err
        return {"kind": "note", "text": artifact.text}
    raise TypeError(f"artifact is {type(artifact).__name__}, expected one of onepaper.claims")


def recorded_page_part(recorded: RecordedArtifact, results: Path | None) -> dict[str, Any]:
    """A recorded artifact for the template; a line where its file is missing or damaged.

    Args:
        results: the folder of the result.
    """
    part = {"kind": recorded.kind, "title": recorded.title, "caption": recorded.caption}
    if recorded.kind == "table":
        return {**part, "header": recorded.header, "rows": recorded.rows}
    if recorded.kind == "note":
        return {"kind": "note", "text": recorded.text}
    try:
        content = (results / FIGURES / recorded.file).read_bytes() if results is not None else b""
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != recorded.sha256:
        text = f"{recorded.title}: the file {recorded.file} is missing or damaged; record the claim again"
        return {"kind": "note", "text": text}
    source = data_uri("image/png" if recorded.kind == "picture" else "audio/wav", content)
    return {**part, "source": source, "width": recorded.width, "enlarged": recorded.enlarged}


def data_uri(media_type: str, content: bytes) -> str:
    """`content` as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


# ------------------------------------------------------------------------------------------------------ recorded files


def write_artifacts(results: Path, claim_id: str, artifacts: Sequence[Artifact]) -> tuple[RecordedArtifact, ...]:
    """Write the files of a claim's artifacts into `results/figures/`, in place of those of an earlier result.

    Raises:
        OnePaperError: the folder cannot be written.
    """
    remove_artifacts(results, claim_id)
    folder = results / FIGURES
    used = sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0
    kept: list[RecordedArtifact] = []
    for number, artifact in enumerate(artifacts, 1):
        try:
            recorded, content = _compact(artifact)
        except Exception as error:  # numbers are recorded whatever a figure holds
            recorded, content = RecordedArtifact("note", text=_not_drawn(artifact, error)), b""
        if content:
            if used + len(content) > FOLDER_BYTES:
                recorded, content = _too_large(recorded.title, f"{folder} holds {FOLDER_BYTES / 1e6:g} MB"), b""
            else:
                name = f"{claim_id}-{number}.{'png' if recorded.kind == 'picture' else 'wav'}"
                write_atomic(folder / name, content)
                used += len(content)
                recorded = replace(recorded, file=name, sha256=hashlib.sha256(content).hexdigest())
        kept.append(recorded)
    return tuple(kept)


def copy_artifacts(source: Path, target: Path, claim_id: str) -> None:
    """Copy the files of a claim's artifacts from one folder of results to another.

    Raises:
        OnePaperError: the folder cannot be written.
    """
    remove_artifacts(target, claim_id)
    for path in _files(source, claim_id):
        write_atomic(target / FIGURES / path.name, path.read_bytes())


def remove_artifacts(results: Path, claim_id: str) -> None:
    """Remove the files of a claim's artifacts."""
    for path in _files(results, claim_id):
        path.unlink()


def _files(results: Path, claim_id: str) -> list[Path]:
    return sorted((results / FIGURES).glob(f"{claim_id}-*"))


def _not_drawn(artifact: Artifact, error: Exception) -> str:
    return f"{getattr(artifact, 'title', type(artifact).__name__)} cannot be drawn: {type(error).__name__}: {error}"


def _too_large(title: str, why: str) -> RecordedArtifact:
    return RecordedArtifact("note", text=f"{title}: not recorded, as {why}; measure the claim to see it.")


def _compact(artifact: Artifact) -> tuple[RecordedArtifact, bytes]:
    """What is recorded of an artifact, and the content of its file; empty where it has none."""
    from onepaper.display.file_bytes import wav_bytes

    if isinstance(artifact, Table):
        rows = tuple(map(tuple, _cells(artifact)))
        return RecordedArtifact("table", artifact.title, header=tuple(artifact.header), rows=rows), b""
    if isinstance(artifact, Note):
        return RecordedArtifact("note", text=artifact.text), b""
    if isinstance(artifact, Sound):
        content = wav_bytes(artifact.samples, artifact.sample_rate)
        if len(content) > FILE_BYTES:
            return _too_large(artifact.title, f"it has more than {FILE_BYTES // 1000} kB"), b""
        return RecordedArtifact("sound", artifact.title, artifact.caption), content
    caption = artifact.caption
    if isinstance(artifact, ImageGrid) and artifact.labels:
        caption = " ".join([*filter(None, [caption]), f"Row by row: {', '.join(artifact.labels)}."])
    for content, width in _small_plots(artifact) if isinstance(artifact, Plot) else _small_grids(artifact):
        if len(content) <= FILE_BYTES:
            enlarged = isinstance(artifact, ImageGrid)
            return RecordedArtifact("picture", artifact.title, caption, width=width, enlarged=enlarged), content
    return _too_large(artifact.title, f"it has more than {FILE_BYTES // 1000} kB"), b""


def _small_plots(plot: Plot) -> Iterator[tuple[bytes, int]]:
    """PNG files of a plot, each smaller than the last, with their widths on a page."""
    for dots, colors in _PLOT_SIZES:
        picture = _figure_bytes(plot, "png", dots)
        yield _few_colors(picture, colors), _css_width(picture, dots)


def _small_grids(grid: ImageGrid) -> Iterator[tuple[bytes, int]]:
    from onepaper.display.file_bytes import picture_png, tile_pictures

    sheet = tile_pictures(_bytes_of_images(grid), grid.columns, gap=_GAP, background=128)
    content = picture_png(sheet)
    for candidate in (content, _few_colors(content, 64), _few_colors(content, 16)):
        yield candidate, sheet.shape[1] * grid.upscale


def _few_colors(png: bytes, colors: int) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    reduced = Image.open(io.BytesIO(png)).convert("RGB").quantize(colors, dither=Image.Dither.NONE)
    reduced.save(content, format="PNG", optimize=True)
    return content.getvalue()


# ---------------------------------------------------------------------------------------------------------- conversion


def _cells(table: Table) -> list[list[str]]:
    return [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in table.rows]


def _bytes_of_images(grid: ImageGrid) -> Any:
    import numpy as np

    return np.round(np.clip(grid.images, 0, 1) * 255).astype(np.uint8)


def _css_width(png: bytes, dots: int) -> int:
    """As large as the figure was made: bytes 16 to 20 of a PNG are its width."""
    return round(int.from_bytes(png[16:20], "big") * _CSS_PIXELS / dots)


def _figure_bytes(plot: Plot, file_format: str, dots: int = _DOTS_PER_INCH) -> bytes:
    import matplotlib

    content = io.BytesIO()
    # A fixed salt and no date: the same figure gives the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": plot.title}):
        metadata = {"Date": None} if file_format == "svg" else {"Software": None}
        plot.figure.savefig(content, format=file_format, bbox_inches="tight", dpi=dots, metadata=metadata)
    return content.getvalue()


def _inline_svg(plot: Plot) -> Any:
    from markupsafe import Markup

    text = _figure_bytes(plot, "svg").decode()
    # An inline drawing has no XML header. Matplotlib escapes the texts of a figure; it wrote the rest itself.
    return Markup(text[text.index("<svg") :])
