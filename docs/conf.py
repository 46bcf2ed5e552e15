"""Sphinx: the pages beside this file, as a site."""

from importlib.metadata import version as version_of

project = "pulumi_openfunnel"
author = "The pulumi_openfunnel authors"
project_copyright = author
version = release = version_of("pulumi-openfunnel")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = False  # Pulumi's own types have no page here
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"pulumi_openfunnel {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": "https://github.com/openfunnel/pulumi-openfunnel/",
    "source_branch": "main",
    "source_directory": "docs/",
}
