"""The network, its losses, and the baselines that the paper compares with."""
