"""The latency histogram."""
