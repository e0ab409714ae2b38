"""A few of the inputs of `tests/fuzz.py`, the same ones each time."""

import pytest

from tests import fuzz


@pytest.fixture(scope="module")
def given():
    with fuzz.template() as found:
        yield found


@pytest.mark.parametrize("kind", [*fuzz.KINDS, fuzz.COMMAND_LINE])
def test_generated_damage_ends_in_success_or_in_a_sentence(kind, given):
    ends = fuzz.fuzz(kind, 40, *given)
    assert ends.total() >= 40 and len(ends) > 1, "damage that changes nothing, or stops everything"
