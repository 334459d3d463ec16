"""What the kernel refused, why, and what helps there."""
