"""The broker: real AF_XDP for people without privilege, and no more than that.

`sudo xdplab broker --group NAME` starts it (`daemon/`). Its *listener* accepts connections, checks
who is there, and forks a *session* for each. A session takes one message of fixed size that says
what it is for, gives up every power that this does not need (`daemon/confinement.py`), and only
then reads requests (`protocol.py`, `requests.py`, `daemon/operations.py`). Clients use `client.py`.
"""
