"""How answers read: tables and pages drawn from artefacts alone."""
