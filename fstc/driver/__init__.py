"""Read, call, write: between files and stages. Doors: open_work, Work, build_package, targets."""
