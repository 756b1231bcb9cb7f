"""A model card (Mitchell et al., 2019) from the configuration of a system and the reports about it."""

from collections.abc import Mapping, Sequence

from imagen3.config import SystemConfig
from imagen3.models.mmdit import parameter_count

Rows = Sequence[Sequence[str]]


def markdown_table(rows: Rows) -> str:
    """Rows as a table; the first one is the heading."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"

    return "\n".join([line(rows[0]), line(["---"] * len(rows[0])), *map(line, rows[1:])])


def model_card(name: str, config: SystemConfig, tables: Mapping[str, Rows]) -> str:
    """The card as Markdown.

    Args:
        name: of the system.
        config: of the system.
        tables: by title, what was measured about it; what is missing is said.
    """
    data = config.data
    source = {"emoji": f"emoji of {', '.join(data.categories)}", "folder": f"captioned pictures of {data.path}"}
    facts: Rows = [
        ("property", "value"),
        ("kind", "latent diffusion model for pictures from text, the reference system of this package"),
        ("parameters of the denoiser", f"{parameter_count(config.denoiser):,}"),
        ("size of pictures", f"{data.size} x {data.size} pixels"),
        ("text encoder", f"{config.text.encoder}, at most {config.text.max_tokens} tokens"),
        ("objective", config.objective.prediction),
        ("trained on", source.get(data.dataset, data.dataset)),
        ("duplicates removed", "yes" if data.remove_duplicates else "no"),
        ("synthetic captions", f"{data.synthetic_share:.0%}"),
    ]
    wanted = ("Counting", "Fairness", "Homogeneity", "Safety")
    parts = [f"# {name}", markdown_table(facts), "It is not Imagen 3, whose architecture is not disclosed."]
    for title in wanted:
        parts += [f"## {title}", markdown_table(tables[title]) if title in tables else "Not measured."]
    return "\n\n".join(parts) + "\n"
