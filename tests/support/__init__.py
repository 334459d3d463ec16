"""What several test files share: brokers, clients, installs, waiting, and child processes."""
