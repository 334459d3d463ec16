"""What keeps a widget alive in every browser that shows it."""
