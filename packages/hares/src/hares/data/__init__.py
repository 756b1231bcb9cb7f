"""Tasks, embedded clips and the pool of a training."""
