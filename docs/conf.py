"""Settings of the documentation site: `make docs` builds it into build/docs, without network."""

from __future__ import annotations

import sys
from pathlib import Path

from mirical.version import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "mirical"
copyright = "the mirical developers"
author = "the mirical developers"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "shared_run",
    "from_code",
    "to_repository",
    "shell_cells",
    "mathml",
    "no_network",
]
exclude_patterns = ["_ext", "README.md", "Thumbs.db"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
html_math_renderer = "mathml"

# Tutorials are run at every build: what they print is what a reader gets today.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 1800  # seconds a cell; a busy machine is no failure
nb_merge_streams = True
nb_ipywidgets_js = {}  # scripts from the network

autodoc_typehints = "none"  # the docstrings state shapes and units, which annotations do not
numpydoc_show_class_members = False
nitpicky = False

html_theme = "furo"
html_title = f"mirical {__version__}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
