"""The graph, its language and its op table; common ground of all stages."""
