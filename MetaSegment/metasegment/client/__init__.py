"""The learner from where torch is not: Slicer, scripts, other computers (numpy and requests; knows nothing of Slicer).

Every error is a `LearnerError` with a sentence for the user, an InputError, or Cancelled.
"""

from .errors import LearnerError
from .learner_client import LearnerClient
from .local_learner import LocalLearner
from .service_learner import Connection, ServiceLearner

__all__ = ["Connection", "LearnerClient", "LearnerError", "LocalLearner", "ServiceLearner"]
