"""A trace as a scenario: what was asked, when, in words of our own."""

from pathlib import Path
from typing import Final

from scenarios.content import Ask, Prompt, Scenario
from scenarios.form import stem
from scenarios.trace import is_trace, read

__all__ = ["is_trace", "replayed"]

CONTINUE: Final = (
    "Above is a long list of words in no order. Write a story of at least fifty "
    "paragraphs that uses as many of them as you can. Begin with the story at once."
)
"""What the prompts of a trace ask: an answer that ends when its tokens do."""


def replayed(text: str, path: Path) -> Scenario:
    """Return the scenario that asks what a trace asked, when it was asked."""
    return Scenario(
        name=stem(path),
        description="A trace of real traffic, with words of our own.",
        request=Ask(effort="off", temperature=0.0),
        prompt=Prompt(user=CONTINUE),
        trace=read(text, path),
        source=str(path),
    )
