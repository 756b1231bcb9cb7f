"""Networks: the denoiser, the causal model, and n-grams."""
