"""Canvases of real digits at given positions: one position is learnt at a time, several are composed."""
