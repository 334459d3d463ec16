"""Stands for a package that jsonschema can do without: its check of IRIs, of which notebooks have none.

Its grammars are compiled by each import, for two seconds of a core.
"""

raise ImportError("left out of the tests: see its docstring")
