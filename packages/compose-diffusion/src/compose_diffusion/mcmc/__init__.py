"""MCMC at one noise level: transition kernels, step sizes, preconditioners, and their adaptation before a run."""
