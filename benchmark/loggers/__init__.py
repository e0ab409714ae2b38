"""Curves and pictures of jobs, for programs in which people watch a training."""
