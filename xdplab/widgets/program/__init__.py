"""An XDP program, live."""
