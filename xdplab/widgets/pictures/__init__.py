"""Static pictures of widgets, for a saved notebook without a kernel."""
