"""The heat map of a sweep."""
