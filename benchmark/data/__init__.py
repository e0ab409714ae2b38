"""Datasets: cards, layouts, preparation, splits, phantoms."""
