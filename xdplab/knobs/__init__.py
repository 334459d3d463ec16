"""Settings that can change while packets flow."""
