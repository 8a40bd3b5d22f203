"""Run packages, compare with the oracle, verify. Doors: artefact, run."""
