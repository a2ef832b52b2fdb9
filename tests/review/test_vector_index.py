"""The index of settled cases: exact, whatever was added and taken out, also from many threads."""

import numpy as np
from review_forms import run_at_once

from core.review._vector_index import VectorIndex


def unit(rng, n, size=12):
    values = rng.normal(size=(n, size)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_neighbours_are_those_of_a_full_search_after_any_changes():
    rng = np.random.default_rng(1)
    index, held = VectorIndex(), {}
    assert index.nearest(unit(rng, 1)[0], 3) == []
    for turn in range(30):
        names = [f"{turn}-{n}" for n in range(int(rng.integers(1, 9)))]
        vectors = unit(rng, len(names))
        index.add(names, vectors)
        index.add(names, unit(rng, len(names)))  # there already: the first stays
        held |= dict(zip(names, vectors, strict=True))
        gone = [name for name in held if rng.random() < 0.2]
        index.remove([*gone, "never there"])
        held = {name: vector for name, vector in held.items() if name not in gone}
        asked = unit(rng, 1)[0]
        apart = {name: float(np.linalg.norm(asked - vector)) for name, vector in held.items()}
        expected = sorted(apart, key=apart.__getitem__)[:5]
        found = index.nearest(asked, 5)
        assert [name for name, _distance in found] == expected
        np.testing.assert_allclose([d for _n, d in found], [apart[n] for n in expected], atol=1e-5)
    assert len(index) == len(held)


def test_how_near_is_said_by_how_near_cases_lie_to_each_other():
    angles = np.radians(np.arange(0, 100, 5))
    index = VectorIndex()
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    names = [str(n) for n in range(20)]
    index.add(names[:19], vectors[:19])
    assert index.share_farther(0.1) is None
    index.add(names[19:], vectors[19:])
    assert index.share_farther(0.01) == 1.0
    assert index.share_farther(2.0) == 0.0
    # 19 of 190 pairs are neighbours.
    assert abs(index.share_farther(0.09) - 0.9) < 0.03


def test_cases_may_be_settled_while_others_look():
    rng = np.random.default_rng(2)
    index = VectorIndex()
    vectors = unit(rng, 400)

    def settle():
        for at in range(0, 400, 10):
            index.add([str(n) for n in range(at, at + 10)], vectors[at : at + 10])
            index.remove([str(at)])

    def look():
        for _ in range(40):
            found = index.nearest(vectors[0], 6)
            assert [d for _n, d in found] == sorted(d for _n, d in found)
            index.share_farther(0.5)

    assert run_at_once(settle, look, look, look) == [None] * 4
    assert len(index) == 360
