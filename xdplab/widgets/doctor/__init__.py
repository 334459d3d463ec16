"""The doctor as a widget."""
