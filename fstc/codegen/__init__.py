"""From a plan to CUDA text and the steps that run it. Doors: artefact, run."""
