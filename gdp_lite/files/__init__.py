"""Files of photos: read upright, written as they were, with everything besides the pixels.

`reading` and `encoding` know the formats, `jpeg`, `png`, `tiff`, `trailer`, `xmp` and `previews`
what is inside them, `saving` how a file comes to be whole. `gdp_lite.photos` is the door.
"""
