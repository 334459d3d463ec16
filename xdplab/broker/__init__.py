"""The broker: real AF_XDP for users without privilege, and nothing beyond that.

`sudo xdplab broker --group NAME` starts it (`daemon/`). Its *listener* accepts connections, checks
the peer's credentials, and forks a *session* for each. A session takes one message of fixed size,
which names its purpose, drops every privilege that this does not need (`daemon/confinement.py`),
and only then reads requests (`protocol.py`, `requests.py`, `daemon/operations.py`). Clients use
`client.py`.
"""
