"""The soft NIC: labs and engines simulated in this process."""
