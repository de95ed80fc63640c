"""Which exit code each of the user's mistakes leaves with."""

from compare.judge.comparable import Incomparable
from compare.judge.threshold import ThresholdError
from compare.run.mistakes import JobError, SetupError
from data.prices import PriceError
from data.store import StoreError
from providers.provider import ProviderError
from scenarios.request import ScenarioError

EXIT_CODES: dict[type[Exception], int] = {
    Incomparable: 2,
    JobError: 2,
    PriceError: 2,
    ProviderError: 2,
    ScenarioError: 2,
    ThresholdError: 2,
    StoreError: 2,
    SetupError: 3,
}
PICTURES: dict[type[Exception], int] = {ThresholdError: 2}
"""How many lines at the end of a message show a place, in a text above a caret."""
