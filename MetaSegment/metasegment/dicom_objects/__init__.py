"""DICOM segmentations (SEG) and structure sets (RTSTRUCT): read onto a grid, and written for a source series.

Needs the extra `dicom`; nothing here is imported before it is needed. Images are read by `dicom_series`.
"""
