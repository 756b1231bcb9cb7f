"""The toy of the plane: exact densities and learnt networks, so that what goes wrong can be told apart."""
