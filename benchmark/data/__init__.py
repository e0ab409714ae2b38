"""Datasets: cards, readers, preparation, splits, augmentation and phantoms."""
