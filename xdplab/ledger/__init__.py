"""Where every packet went, and why."""
