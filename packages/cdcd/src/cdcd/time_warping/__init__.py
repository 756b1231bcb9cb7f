"""Time warping: a distribution function of noise levels, fitted to the loss while training (paper, appendix A)."""
