"""Arithmetic on fields of cells that knows nothing of structures: random draws, smooth fields, rotations, bending."""
