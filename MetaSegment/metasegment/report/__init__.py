"""Measurements of a segmentation as a report: for people (HTML, PDF), PACS (DICOM SR) and records (FHIR).

Measures nothing itself (`export/measured.py`), and names of a patient only what the format is for.
"""
