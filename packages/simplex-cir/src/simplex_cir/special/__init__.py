"""Special functions of the process: modified Bessel functions of real order with derivatives."""
