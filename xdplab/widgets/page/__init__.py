"""A page that shows widgets to many browsers, which change nothing."""
