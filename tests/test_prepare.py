"""compare.run.prepare: ids that sort by when they were made."""

import itertools
import re

from compare.run.prepare import Ids, new_id

MS = 1_000_000
NOW = 1_795_000_000_000 * MS


def test_an_id_is_a_ulid_of_its_moment():
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", new_id())
    early, late = Ids(lambda: NOW).new(), Ids(lambda: NOW + MS).new()
    assert early[:10] < late[:10]
    assert Ids(lambda: NOW).new()[:10] == early[:10]


def test_175_ids_never_go_back_whatever_the_clock_does():
    moments = iter([NOW, NOW, NOW + MS, NOW - 3600_000 * MS, NOW - MS, 0, NOW + 2 * MS])
    ids = Ids(lambda: next(moments))
    made = [ids.new() for _ in range(7)]

    assert all(before < after for before, after in itertools.pairwise(made))
    assert made[-1][:10] == Ids(lambda: NOW + 2 * MS).new()[:10]
