"""StableHLO modules (JAX, TensorFlow through XLA) as graphs."""
