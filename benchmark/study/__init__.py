"""What is to be run: settings, presets, variants, the grid of trials and its keys."""
