"""The broker's own processes: listener, sessions, keepers."""
