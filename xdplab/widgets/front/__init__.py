"""The trade-off that a search found, to pick from."""
