"""The table of sampled frames."""
