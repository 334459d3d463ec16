"""What an engine is to be: rings, memory, path, placement."""
