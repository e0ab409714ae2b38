"""Printed results: what they are, which of ours they stand beside, what makes the two differ."""
