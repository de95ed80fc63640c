"""The words a simulated model says: seeded prose, one token a word."""

import re
from random import Random

COMMON = """
the of and to in is that it was for on are with as they be at one have this from
or had by hot but some what there we can out other were all your when up use
word how said each she which do their time if will way about many then them
would write like so these her long make thing see him two has look more day
could go come did my sound no most number who over know water than call first
people may down side been now find any new work part take get place made live
where after back little only round man year came show every good me give our
under name
""".split()  # noqa: SIM905 - one word a line would fill the module

SENTENCE_WORDS = 11
TOKEN = re.compile(r"\s*\S+")


def prose(rng: Random, n_words: int) -> str:
    """Return sentences of exactly so many common words."""
    words = rng.choices(COMMON, k=n_words)
    for start in range(0, n_words, SENTENCE_WORDS):
        words[start] = words[start].capitalize()
        last = min(start + SENTENCE_WORDS, n_words) - 1
        words[last] += "."
    return " ".join(words)


def tokens_of(text: str) -> list[str]:
    """Return the tokens of a text: each word with the space before it.

    Joined they are the text again, except for white space at its end.
    """
    return TOKEN.findall(text)


def drawn_count(rng: Random, median: float, sigma: float) -> int:
    """Return a lognormal count of at least 1; exactly the median when sigma is 0."""
    if not sigma:
        return max(1, round(median))
    return max(1, round(median * rng.lognormvariate(0.0, sigma)))
