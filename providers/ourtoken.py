"""OurToken: a gateway that documents the common dialect and nothing beside it."""

from typing import ClassVar

from providers.generic import Generic
from providers.outcome import Outcome


class OurToken(Generic):
    """OurToken, as its product page documents it; the rest is stored as it comes."""

    name: ClassVar[str] = "ourtoken"
    # Gateways of the New API kind refuse with this code when a wallet is too small.
    codes: ClassVar[dict[str, Outcome]] = Generic.codes | {
        "pre_consume_token_quota_failed": Outcome.QUOTA,
    }
