"""Real handwritten digits: a denoiser, a guiding classifier, an independent judge."""
