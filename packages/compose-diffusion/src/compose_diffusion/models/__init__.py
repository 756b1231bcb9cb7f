"""Networks, and trained networks as leaves and guided expressions."""
