"""Passes over imported graphs: constants, dead code, common subexpressions, canonical forms."""
