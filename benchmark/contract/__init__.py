"""What every method must keep, as checks that say in plain words what is wrong."""
