"""Devices: one YAML description each, their loader, and the occupancy calculation."""
