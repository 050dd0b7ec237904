"""How the book is made: chapters are executed once, staged, and built into a site that asks nobody else for anything.

`make book` calls `tools.site`, which goes through `tools.execute` (papermill, one run a chapter),
`tools.vendor` (the site's JavaScript), `tools.assets` (files made from checkpoints), `tools.stage`
(what Sphinx reads) and Sphinx itself. `tools.keys` decides what can be left as it is.
"""
