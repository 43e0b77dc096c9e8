"""How well two readers' segmentations of the same studies agree: overlap, surfaces, and volumes (Bland and Altman)."""
