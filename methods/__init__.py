"""Semi-supervised segmentation methods: one paper, one file, one `Method` subclass."""
