"""Receive paths side by side."""
