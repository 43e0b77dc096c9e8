"""Slice and 3D views: Slicer's own displayable managers on offscreen windows."""
