"""The front of a search, from which the user picks a setting."""
