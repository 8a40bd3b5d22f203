"""Which ops share a kernel, with placements, schemes, carriers and reasons. Doors: artefact, run."""
