"""What the network is given for each cell, and in which order. How it is made is in `prompts`."""

#: Input channels in order. `previous` is an earlier answer as a probability mapped to -1…1, 0 where there is none;
#: `carried` and `change` are slice propagation's; strokes are 1 where a stroke says that a cell is in the structure, or
#: out of it.
CHANNELS = (
    "image",
    "structure",
    "background",
    "interpolation",
    "distance",
    "likelihood",
    "previous",
    "geodesic",
    "carried",
    "change",
    "stroke_in",
    "stroke_out",
)
#: How many of them a network may take: eight are those before slice propagation and strokes.
COUNTS = (8, len(CHANNELS))
PREVIOUS = CHANNELS.index("previous")
STROKES = (CHANNELS.index("stroke_in"), CHANNELS.index("stroke_out"))
#: Channels a network must be able to do without; training drops each at random.
OPTIONAL = tuple(CHANNELS.index(name) for name in ("interpolation", "likelihood", "previous", "geodesic", "carried"))
