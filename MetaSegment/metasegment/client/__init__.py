"""The learner from where torch is not: Slicer, scripts, other computers (numpy and requests; knows nothing of Slicer).

Every error is a `LearnerError` with a sentence for the user, an InputError, or Cancelled.
"""

from .errors import LearnerError
from .learner import Connection, Learner
from .learner_client import LearnerClient
from .local_learner import LocalLearner

__all__ = ["Connection", "Learner", "LearnerClient", "LearnerError", "LocalLearner"]
