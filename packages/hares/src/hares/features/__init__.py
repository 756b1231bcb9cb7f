"""Embeddings kept on disk."""
