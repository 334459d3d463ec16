"""Stands for what jsonschema can do without: its check of IRIs, of which a notebook has none.

Each import of the real one compiles its grammars, for two seconds of a core.
"""

raise ImportError("left out of the tests: see its docstring")
