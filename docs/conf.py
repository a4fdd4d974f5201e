"""How the documentation is built: ``make docs``."""

from mistudio_ext._version import __version__

project = "miStudio for Jupyter"
author = "The miStudio developers"
copyright = "The miStudio developers"
version = release = __version__

extensions = ["myst_nb", "sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
# The tests run the notebooks; what is shown is what is stored.
nb_execution_mode = "off"
# A cell's widget needs a live kernel; its static picture is shown instead.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

html_theme = "pydata_sphinx_theme"
html_title = project
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"**": ["sidebar-nav-bs"]}
html_show_sourcelink = False
