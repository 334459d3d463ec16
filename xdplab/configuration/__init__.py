"""An engine's configuration: rings, memory, path, placement."""
