"""All measured results on one page, docs/results.md, and the picture of the README."""
