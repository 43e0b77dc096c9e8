"""How well a segmentation agrees with another, each measure once."""
