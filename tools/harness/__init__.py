"""A real JupyterLab and a real browser, for the tests of the widgets and for their benchmark."""
