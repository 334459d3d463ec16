"""Rules of the gallery's filter, edited while it runs."""
