"""Parts that several widgets have: an engine's state, the row to save files, texts of results."""
