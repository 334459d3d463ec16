"""The rings."""
