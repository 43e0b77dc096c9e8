"""MetaSegment beside the tools people use today, on a frozen protocol: tasks, methods, measures, report.

Measures only; nothing in here is used to segment.
"""
