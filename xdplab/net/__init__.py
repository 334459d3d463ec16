"""Network namespaces, interfaces and their settings, by netlink."""
