"""XDP programs: reading object files."""
