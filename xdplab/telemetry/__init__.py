"""Reading an engine's shared memory, and exporting what it holds."""
