"""From one volume to the next: what structures look like and where they lie, learnt from a segmented volume and found
in another without prompts. Knows images and masks on grids; nothing of files, annotation or the network.
"""

from .subject import Detection, LocationHint, TaughtSubject, from_numbers, learn_subject, look_for, to_numbers

__all__ = ["Detection", "LocationHint", "TaughtSubject", "from_numbers", "learn_subject", "look_for", "to_numbers"]
