"""XDP programs of the user's own: the spec, read from an object file; loading it; its maps."""
