"""Sphinx: `make docs` builds the pages below docs/ into docs/_build."""

project = "Renkei"
author = "The Renkei developers"
extensions = ["myst_parser"]
html_theme = "furo"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links to files outside docs/ are for the repository
