"""Expectations of a plan: read from YAML, checked, written from a plan that is as it should be."""
