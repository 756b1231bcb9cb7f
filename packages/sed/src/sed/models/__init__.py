"""Networks: the denoiser, the masked model whose embeddings it uses, the causal model, and n-grams."""
