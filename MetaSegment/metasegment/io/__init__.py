"""Readers and writers: images, DICOM series, segmentations and structure sets, tasks; files that appear whole.

Data types are in the modules above (`volume`, `annotation`, `structure`, `task`), which know nothing of files.
"""
