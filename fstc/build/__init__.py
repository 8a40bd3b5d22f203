"""Build: kernels to cubins, and everything into one package."""
