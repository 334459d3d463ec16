"""Parts of all plots over time: rows, marks, hover and time range."""
