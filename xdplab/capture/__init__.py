"""Packets in Python: `Capture`, whose caller is the worker, and the batches that it gives."""
