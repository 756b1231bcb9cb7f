"""The figure of a recording."""

import numpy as np
from onepaper.display.file_bytes import figure_png

from slowae_rlt.figures import draw_events
from slowae_rlt.models.band_energies import BandEnergies


def test_figure(speech: np.ndarray) -> None:
    figure = draw_events(BandEnergies().encode(speech), speech)
    assert len(figure.axes) == 3
    assert figure.axes[0].get_xlim()[1] == len(speech) / 8000
    assert figure_png(figure).startswith(b"\x89PNG")
