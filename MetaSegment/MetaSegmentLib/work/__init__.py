"""The workflow: from drawn slices to accepted segments. Knows no widgets."""
