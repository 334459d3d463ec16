"""The lab process: labs without privilege.

Whoever may make user namespaces is root in one, over network namespaces that belong to it: there
they can make interfaces, addresses and sockets, and nothing outside is touched. But a process can
enter a new user namespace only while it has a single thread, and is then somebody else than the
user. So a process of its own does it, and the client sends it functions to run.
"""
