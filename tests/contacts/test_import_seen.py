"""What a file has named so far: right in the set, in the array, and between the two."""

import random

from contacts.importing.seen import Hashes


def test_it_is_a_set_whatever_has_settled() -> None:
    chance = random.Random(7)
    values = list({chance.randrange(-(2**63), 2**63) for _turn in range(1000)})
    hashes, known = Hashes(recent=64), set()
    for start in range(0, 1000, 25):
        batch = set(values[start : start + 25])
        assert hashes.isdisjoint(batch)
        hashes.update(batch)
        known |= batch
        assert len(hashes) == len(known)
        assert not hashes.isdisjoint({chance.choice(values[: start + 25]), 0})
    assert all(value in hashes for value in values)
    others = {value + 1 for value in values} - known
    assert hashes.isdisjoint(others)
    assert not any(value in hashes for value in others)


def test_the_ends_of_the_numbers_are_found() -> None:
    hashes = Hashes(recent=1)
    assert hashes.isdisjoint({0})
    hashes.update([2**63 - 1])
    hashes.update([-(2**63)])
    assert (2**63 - 1 in hashes, -(2**63) in hashes, 0 in hashes) == (True, True, False)
