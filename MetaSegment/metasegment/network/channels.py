"""What the network is given for each cell, and in which order. How it is made is in `prompts`."""

#: Input channels in order. `previous` is an earlier answer as a probability mapped to -1…1, 0 where there is none.
CHANNELS = (
    "image",
    "structure",
    "background",
    "interpolation",
    "distance",
    "likelihood",
    "previous",
    "geodesic",
)
PREVIOUS = CHANNELS.index("previous")
#: Channels a network must be able to do without; training drops each at random.
OPTIONAL = tuple(CHANNELS.index(name) for name in ("interpolation", "likelihood", "previous", "geodesic"))
