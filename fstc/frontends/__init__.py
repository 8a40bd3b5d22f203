"""Importers: models of other frameworks as graphs, behind ``fstc import``.

Example: ``from fstc.frontends.run import import_model``; ``import_model(Path("bert.onnx"), ImportOptions()).graph``.
Each framework's package is imported by its own importer only.
"""
