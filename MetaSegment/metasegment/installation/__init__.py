"""A Python environment of the learner's own, made by uv: what Slicer's panel installs, checks, repairs and removes.

Standard library alone, so that Slicer's Python runs it as it is; nothing here is imported by the learner.
"""
