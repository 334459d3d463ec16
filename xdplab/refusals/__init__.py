"""Refusals of the kernel: the cause and the remedy of each."""
