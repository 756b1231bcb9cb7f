"""Networks and the baselines that they are compared with."""
