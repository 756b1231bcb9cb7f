"""The method as pure functions: schedule, posterior, spans, embeddings, samplers."""
