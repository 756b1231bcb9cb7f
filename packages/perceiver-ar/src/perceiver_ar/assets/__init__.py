"""Files that ship with the package: data and weights of small networks."""
