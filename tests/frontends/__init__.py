"""Importers against the frameworks that wrote the models."""
