"""Whole models with random weights: real widths, two layers, small batches; none is downloaded.

Example: ``fstc import --torch tests.frontends.models.hugging:bert -o bert.fir``. Each function returns a module and its
inputs, as ``--torch`` wants it.
"""
