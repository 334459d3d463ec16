"""Helpers that know nothing of packets: errors, argument checks, cores, files, locks."""
