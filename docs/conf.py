"""Settings of the documentation: `make docs` builds it without the network, warnings are errors."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]
os.environ.setdefault("MPLBACKEND", "agg")

import pages  # noqa: E402
from docutils import nodes  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402

import scalejax  # noqa: E402

EXECUTE = os.environ.get("SCALEJAX_DOCS_EXECUTE", "cache")  # "off" leaves out what notebooks and recipes print, and our side of claims

project = "scalejax"
author = copyright = "The scalejax developers"
release = version = scalejax.__version__
extensions = ["myst_nb", "sphinx_design", "sphinx_copybutton"]
exclude_patterns = ["_build", "*.py"]
source_suffix = {".md": "myst-nb", ".py": "myst-nb"}
html_theme = "furo"
html_title = "scalejax"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_sourcelink = False
html_math_renderer = "mathml"
templates_path = []
pygments_style = "default"

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = EXECUTE
nb_execution_timeout = 600
nb_execution_in_temp = True
nb_output_stderr = "remove"  # progress of slow machines; that no page warns is a test
nb_execution_raise_on_error = True
nb_execution_cache_path = str(DOCS / "_build" / ".jupyter_cache")
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_merge_streams = True
suppress_warnings = ["myst-nb.lexer"] if EXECUTE == "off" else []
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True


def mathml(visitor, node, display: str) -> None:
    """Formulas as MathML, which browsers draw themselves: nothing is fetched."""
    visitor.body.append(convert(node.astext(), display=display))
    if display == "block":
        visitor.body.append("\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (lambda v, n: mathml(v, n, "inline"), None), (lambda v, n: mathml(v, n, "block"), None))
    pages.write_all(claims=EXECUTE != "off")
