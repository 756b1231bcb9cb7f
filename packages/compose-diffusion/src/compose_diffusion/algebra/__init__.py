"""Compositions of diffusion models: leaves, the operators on their log densities, and expressions as text."""
