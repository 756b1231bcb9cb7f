"""Samplers over all noise levels: the reverse process, annealed MCMC, both together, and the Feynman-Kac corrector."""
