"""Translation: training, decoding and its evaluation (paper, sections 4.4 and 6.6)."""
