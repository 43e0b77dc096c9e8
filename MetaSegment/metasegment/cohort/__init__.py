"""One task over many studies: found, shared out to workers under Ray, each kept as soon as done, and reported.

Knows nothing of how a task is applied (`segmenter`), and offers no service.
"""
