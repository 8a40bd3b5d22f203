"""Importers from other formats to a graph."""
