"""What all plots over time have in common."""
