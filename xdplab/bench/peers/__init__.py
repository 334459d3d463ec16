"""Other receivers and senders that benchmarks run beside an engine."""
