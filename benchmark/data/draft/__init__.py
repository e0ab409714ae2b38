"""A card to begin with, filled in from what a folder holds."""
