"""The engine and the generator."""
