"""Labs and engines by this process' own privilege."""
