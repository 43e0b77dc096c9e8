"""From one volume to the next: what structures look like and where they lie, learnt from a segmented volume and found
in another without prompts. Knows images and masks on grids; nothing of files, annotation or the network.
"""

from .lesson import Clue, Lesson, Sighting, from_numbers, learn_lesson, look_for, to_numbers

__all__ = ["Clue", "Lesson", "Sighting", "from_numbers", "learn_lesson", "look_for", "to_numbers"]
