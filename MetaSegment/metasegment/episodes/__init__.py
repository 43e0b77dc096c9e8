"""Where training tasks come from: labelled volumes, supervoxels and synthetic anatomy."""
