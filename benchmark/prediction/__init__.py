"""Trained networks on images that no study saw: see CONTRIBUTING.md."""
