"""OpenRouter: a router, and a host only when pinned to one upstream."""

from typing import Any, ClassVar

from providers.generic import Generic
from providers.outcome import Outcome
from providers.provider import Provider
from scenarios.request import Request


class OpenRouter(Generic):
    """OpenRouter. It always sends usage with cost, and names the upstream."""

    name: ClassVar[str] = "openrouter"
    effort_style: ClassVar[str] = "openrouter"
    states_cost: ClassVar[bool] = True
    codes: ClassVar[dict[str, Outcome]] = Generic.codes | {
        "502": Outcome.PROVIDER_ERROR,
        "provider_overloaded": Outcome.OVERLOADED,
    }

    def fields(self, request: Request, provider: Provider) -> dict[str, Any]:
        """Return the routing fields: a pinned upstream has no fallback.

        A pin is `upstream` or `upstream/quantization`, as in `deepinfra/fp8`.
        """
        if provider.pin is None:
            return {}
        return {
            "provider": {
                "only": [provider.pin],
                "allow_fallbacks": False,
                "require_parameters": True,
            }
        }
