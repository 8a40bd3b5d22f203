""".fir files as models, so that the passes can be applied to one by hand."""
