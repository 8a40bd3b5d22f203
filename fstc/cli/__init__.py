"""The command line: click, one file a command, loaded when called. No logic of the compiler lives here.

Example: ``python -m fstc plan samples/softmax_mask.fir --device h200``.
"""
