"""Many jobs: a plan's missing trials on Ray, or one of them here. The only room with Ray."""
