"""What can go wrong between a user and the learner, each with the sentence that the user reads.

Knows no HTTP; `explain.py` finds out which of these happened. Bad input is `metasegment.errors.InputError`, here as
everywhere.
"""

from __future__ import annotations

from typing import ClassVar

from ..errors import Cancelled


class LearnerError(Exception):
    """The learner could not be used. The message says what happened and what to do, in words for its user."""

    sentence: ClassVar[str]

    def __init__(self, **facts: object) -> None:
        super().__init__(self.sentence.format(**facts))


class WrongAddress(LearnerError):
    """What was entered cannot be the address of any service."""

    sentence = "{given!r} is not the address of a service: write it like http://gpu-host:8470"


class SchemeMissing(WrongAddress):
    """http:// or https:// is missing."""

    sentence = "the address {given!r} lacks its beginning: write http://{given} (or https:// if the service uses TLS)"


class NotReached(LearnerError):
    """The service could not be spoken to, now or any more: what may pass, so that trying again makes sense."""


class UnknownHost(NotReached):
    """The name of the computer is not known here."""

    sentence = "no computer named {host} is known here: check the spelling of the address and your network or VPN"


class NothingListens(NotReached):
    """The computer is there, but nothing listens on the port."""

    sentence = (
        "nothing answers at {address}: check the address and the number after the colon, "
        "and ask whether the service is running there"
    )


class NoAnswer(NotReached):
    """No connection within the time allowed for it."""

    sentence = (
        "{address} did not answer within {seconds:g} seconds: check the address, your network or VPN, "
        "and whether a firewall is in between"
    )


class ProxyRefused(NotReached):
    """The proxy of the network does not lead to the service."""

    sentence = "the proxy of your network does not let {address} through: ask your administrator to allow it"


class ProxyWantsName(ProxyRefused):
    """The proxy of the network wants to know who asks."""

    sentence = (
        "the proxy of your network asks for a name and password before {address}: enter them in the system's settings"
    )


class ProxyForbids(ProxyRefused):
    """Something on the way forbids the request, not in the words of a service."""

    sentence = (
        "something between you and {address} forbids the request (status 403), most likely a proxy or firewall: "
        "ask its administrator to allow it"
    )


class ProxyTooSmall(ProxyRefused):
    """A proxy in front of the service takes no bodies of this size."""

    sentence = (
        "a proxy in front of {address} takes no request of this size (status 413): ask its administrator to allow "
        "16 MB (nginx: client_max_body_size)"
    )


class ServiceDown(NotReached):
    """A gateway answers for a service that does not."""

    sentence = (
        "something answers at {address}, but the service behind it does not (status {status}): "
        "try again in a minute, then ask its administrator"
    )


class ConnectionLost(NotReached):
    """The connection broke, or fell silent, after it had been made."""

    sentence = (
        "the connection to {address} broke off: check your network and try again, nothing of yours is lost "
        "(if this happens at once, try https:// in the place of http://)"
    )


class FellSilent(NotReached):
    """Connected, but no answer came."""

    sentence = "{address} does not answer any more: try again in a minute, then ask for the service to be started anew"


class NotMetaSegment(LearnerError):
    """Something else answers at this address."""

    sentence = (
        "what answers at {address} is not a MetaSegment service: check the address and the number after the colon"
    )


class SentElsewhere(NotMetaSegment):
    """The address leads on to another one, most likely to a sign-in page."""

    sentence = (
        "{address} leads on to {target}: enter that address if the service is there; "
        "a service behind a sign-in page cannot be used"
    )


class TokenRefused(LearnerError):
    """The service wants another token."""

    sentence = "{address} refuses this token: copy it again from the message of the service's administrator"


class TokenMissing(TokenRefused):
    """The service wants a token and none was given."""

    sentence = "{address} asks for a token: enter the one that the service's administrator gave you"


class TlsProblem(LearnerError):
    """No encrypted connection could be made."""

    sentence = "{address} does not speak https: write http:// instead, or ask its administrator to switch TLS on"


class CertificateRefused(TlsProblem):
    """The service cannot prove that it is the one it claims to be."""

    sentence = (
        "this computer does not trust the certificate of {address}: check the address, then ask the service's "
        "administrator for a valid certificate"
    )


class VersionsDiffer(LearnerError):
    """The service speaks another protocol."""

    sentence = (
        "{address} speaks protocol {theirs} and this MetaSegment protocol {ours}: "
        "update the older one so that both are of the same version"
    )


class ServerBusy(LearnerError):
    """The service takes no more work now."""

    sentence = "{address} is busy: {message}; try again in {seconds:g} seconds"

    def __init__(self, address: str, message: str, seconds: float) -> None:
        super().__init__(address=address, message=message, seconds=seconds)
        self.seconds = seconds


class OutOfMemory(LearnerError):
    """The learner's computer lacks memory for this."""

    sentence = "the learner has too little memory: {message}; crop the volume or close other programs, and try again"


class Forgotten(LearnerError):
    """The service no longer knows a volume or a job; it is sent again without asking."""

    sentence = (
        "{address} keeps forgetting what it is sent: its memory is too small for its users, tell its administrator"
    )


class VolumeForgotten(Forgotten):
    """The service does not know this volume, or not all of it."""


class TaskForgotten(Forgotten):
    """The service does not know this task."""


class VolumeChanged(LearnerError):
    """The volume is no longer what its manifest says."""

    sentence = "the volume changed while it was being sent: do not edit its voxels meanwhile, and try again"


class LearnerFailed(LearnerError):
    """A defect of the learner or of the service."""

    sentence = "the learner failed: {message}; try again, and report it if it fails again"


class LearnerNotStarted(LearnerError):
    """The learner of this computer did not start."""

    sentence = "the learner could not be started with {python}: {why}"


class LearnerDied(LearnerError):
    """The learner of this computer ended by itself."""

    sentence = "the learner on this computer ended unexpectedly ({why}): close other programs and try again"


class Superseded(Cancelled):
    """A newer request for the same structure took the place of this one."""
