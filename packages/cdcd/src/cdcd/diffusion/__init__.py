"""The diffusion: embeddings, noise, score interpolation, masks, times of the steps and samplers, as pure functions."""
