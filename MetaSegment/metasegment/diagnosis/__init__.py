"""A finding for an image or a segmented structure, from a few labelled examples. For research: it diagnoses nobody."""
