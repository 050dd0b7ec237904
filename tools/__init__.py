"""How the book is made: chapters run once, are staged, and become a site that asks no other host.

`make book` calls `tools.site`, which goes through `tools.execute` (papermill, one run a chapter),
`tools.vendor` (the site's JavaScript), `tools.assets` (files made from checkpoints), `tools.stage`
(what Sphinx reads) and Sphinx itself. `tools.keys` decides what can be left as it is.
"""
