"""The lab process: labs without privilege.

A user who may make user namespaces is root in one, over network namespaces that belong to it: a
process there can make interfaces, addresses and sockets, without any effect outside. But a process
can enter a new user namespace only while it has a single thread, and it is another user then. So a
separate process enters it, and the client sends it functions to run.
"""
