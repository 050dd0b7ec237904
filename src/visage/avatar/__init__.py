"""From a photograph to an avatar: all five parts of the book, one after another.

The recogniser's embedding; the face that can be made of it alone (part I); the frontal face at rest
(parts II and III); the shape, coarse and fine (part IV); the complete texture (part V). Out comes a
textured head that any viewer opens.
"""
