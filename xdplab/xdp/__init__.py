"""XDP programs of the user's own: compiled, loaded, attached, replaced, read."""
