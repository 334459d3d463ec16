"""Labs and engines through a broker."""
