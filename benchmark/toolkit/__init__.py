"""Everything that a method may import of the harness, and nothing else."""
