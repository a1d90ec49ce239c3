"""Generators of synthetic rooms and drives: scenes with known objects, from a seed."""
