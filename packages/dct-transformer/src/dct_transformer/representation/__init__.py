"""Images as quantised block-DCT coefficients, and as sorted lists of triples (paper, section 2)."""
