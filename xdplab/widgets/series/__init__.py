"""What widgets share that take a series of runs: a thread that takes them, and a bar that tells."""
