"""One job from start to record: the training loop, its batches, evaluation, files."""
