"""Facts about a graph: op classes, dominance, fusible regions, axes, bytes. Doors: artefact, run."""
