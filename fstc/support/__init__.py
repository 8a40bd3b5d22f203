"""What knows nothing of tensors: files, diagnostics, artefacts, graphs over integers."""
