"""Pictures of volumes, label maps and surfaces, without Slicer."""
