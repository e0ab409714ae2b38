"""What a plan will take: time, memory, disk. From records of like trials, else from a probe."""
