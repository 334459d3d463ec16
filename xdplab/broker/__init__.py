"""The broker: real AF_XDP for people without privilege, and no more than that.

`sudo xdplab broker --group NAME` starts it. Its *listener* (`listener.py`) accepts connections,
checks who is there, and forks a *session* (`session.py`) for each. A session takes one message of
fixed size that says what it is for, gives up every power that this does not need
(`confinement.py`), and only then reads requests (`protocol.py`, `operations.py`). Clients use
`connection.py`.
"""
