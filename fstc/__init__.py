"""fstc: a fusion compiler that stitches memory-intensive operators into few large CUDA kernels."""

__version__ = "0.1.0"
