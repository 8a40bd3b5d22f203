"""Tests of fstc; a package, so that tests can share the samples' tables and oracles (`tests.samples`)."""
