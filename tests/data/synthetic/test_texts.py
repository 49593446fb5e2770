import itertools

import numpy as np

from tinyprune.data.synthetic.common import SPLITS
from tinyprune.data.synthetic.texts import phrase_lists, sentence


def test_sentences_are_for_one_split_and_one_use():
    rng = np.random.default_rng(0)
    uses = list(itertools.product(SPLITS, ("speech", "babble")))
    for language in phrase_lists():
        drawn = [{sentence(rng, language, *use) for _ in range(60)} for use in uses]
        assert min(map(len, drawn)) > 20
        assert not any(one & other for one, other in itertools.combinations(drawn, 2))


def test_lists_hold_phrases_of_the_same_number():
    assert {len(phrases) for lists in phrase_lists().values() for phrases in lists} == {12}
    assert all(
        phrase == phrase.strip() != ""
        for lists in phrase_lists().values()
        for ps in lists
        for phrase in ps
    )
