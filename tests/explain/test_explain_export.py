"""What leaves as a file, and what is kept: the map as it was, over pixels nobody touched."""

from __future__ import annotations

import csv
import io
import pickle
import zipfile

import bundle_factory
import numpy as np
import pytest
from PIL import Image

from core.errors import MapDamaged
from core.explain import (
    UNKNOWN_SCAN,
    Drawing,
    Explanation,
    Row,
    blend,
    caveat_words,
    drawn_limit,
    drawn_values,
    explanation_npz,
    explanation_png,
    figures_csv,
    pack,
    read_explanation,
    unpack,
)
from core.explain._packed import MOST_BYTES
from core.text import use_language

FIGURES = {"faithfulness": 0.25, "inside": None}


def explained(scan, **changed):
    values = np.random.default_rng(1).normal(0, 1e-5, scan.pixels.shape[:2]).astype(np.float32)
    values[:20, :20] = 0
    made = {
        "method": "expected-gradients", "target": "malignant", "values": values, "signed": True,
        "layer": None, "parameters": {"samples": 4, "seed": 0}, "unit": "score",
        "base_value": -1.5, "output": 0.5, "bundle_digest": "b" * 64, "image_digest": scan.digest,
    }  # fmt: skip
    return Explanation(**made | changed)


def written(scan, **changed):
    return explanation_npz(explained(scan, **changed), scan.case_number, "task", "7.0", FIGURES)


def test_a_file_gives_back_the_very_values_and_all_that_made_them():
    scan = bundle_factory.scan(40, 56)
    data = written(scan)
    back, made = read_explanation(data), explained(scan)
    assert np.array_equal(back.explanation.values, made.values)
    for name in ("method", "target", "signed", "layer", "parameters", "unit", "base_value",
                 "output", "gap", "bundle_digest", "image_digest"):  # fmt: skip
        assert getattr(back.explanation, name) == getattr(made, name)
    assert (back.case_number, back.task, back.version) == (scan.case_number, "task", "7.0")
    assert back.evidence == FIGURES
    assert data == written(scan)
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        assert archive["values"].dtype == np.float32
        assert "not a medical device" in str(archive["about"])


def test_a_map_of_an_image_read_against_the_checks_says_so_wherever_it_goes():
    scan = bundle_factory.scan(40, 56)
    made = explained(scan)
    despite = ("blur", UNKNOWN_SCAN)
    said = caveat_words(despite)
    assert "fails: Sharpness" in said
    assert "Not a scan this model knows" in said
    assert caveat_words(()) == ""
    data = explanation_npz(made, scan.case_number, "task", "7.0", FIGURES, despite)
    assert read_explanation(data).read_despite == despite
    assert read_explanation(written(scan)).read_despite == ()
    plain, warned = (
        Image.open(io.BytesIO(explanation_png(scan, made, "task", "7.0", None, why)))
        for why in ((), despite)
    )
    assert warned.height > plain.height, "the band has no line for it"
    assert "read despite blur" in str(warned.info["Description"])
    row = Row(scan.case_number, scan.digest, "task", "7.0", "b" * 64, "grad-cam", "malignant",
              explanation=made, read_despite=despite)  # fmt: skip
    (cells,) = csv.DictReader(io.StringIO(figures_csv([row])))
    assert cells["read_despite"] == "blur; unknown_scan"


def damaged():
    scan = bundle_factory.scan(40, 56)
    good = written(scan)

    def archive(**arrays):
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    values = explained(scan).values
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("values.npy", b"\x00" * 1000)
        made.writestr("about.npy", b"\x00" * (9 * 2**20))
    broken = bytearray(good)
    broken[len(good) // 2] ^= 0xFF
    return {
        "nothing": b"", "text": b"values", "cut off": good[:-40], "a bit": bytes(broken),
        "foreign": archive(x=values), "no JSON": archive(values=values, about=np.array("{")),
        "no words": archive(values=values, about=np.array('{"format": "other"}')),
        "a list": archive(values=values, about=np.array("[1]")),
        "objects": archive(values=values, about=np.array([{}], object)),
        "a pickle": pickle.dumps(values), "a bomb": bomb.getvalue(),
        "no map": archive(values=values[0], about=np.load(io.BytesIO(good))["about"]),
    }  # fmt: skip


@pytest.mark.parametrize("kind", damaged())
def test_a_file_that_is_damaged_or_foreign_is_told_in_one_line_and_never_run(kind):
    with pytest.raises(MapDamaged, match="no file of an explanation") as told:
        read_explanation(damaged()[kind])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("signed", [True, False])
def test_the_picture_is_the_scan_where_the_map_says_nothing_and_has_its_words_outside(signed):
    scan = bundle_factory.scan(300, 500)
    values = np.abs(explained(scan).values) if not signed else explained(scan).values
    made = explained(scan, signed=signed, values=values)
    png = explanation_png(scan, made, "task", "7.0", Drawing(opacity=0.5, cut_off=0.5))
    seen = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    grey = scan.grey if scan.pixels.ndim == 2 else None
    untouched = scan.pixels if grey is None else np.repeat(grey[..., None], 3, axis=2)
    quiet = np.abs(drawn_values(made)) < 0.499 * drawn_limit(made)
    assert quiet.any()
    assert not quiet.all()
    assert np.array_equal(seen[:300, :500][quiet], untouched[quiet])
    assert np.array_equal(seen[:300, :500], blend(scan, made, Drawing(opacity=0.5, cut_off=0.5)))
    assert (seen[300:] > 200).any(), "nothing is written below the scan"
    told = str(Image.open(io.BytesIO(png)).info["Description"])
    for words in (scan.case_number, scan.digest, "b" * 64, "expected-gradients", "malignant",
                  "task 7.0", "not a medical device"):  # fmt: skip
        assert words in told


def test_a_picture_names_what_it_is_in_the_language_of_the_page_also_where_it_is_narrow():
    scan = bundle_factory.scan(40, 21)
    made = explained(scan)
    with use_language("zh_CN"):
        chinese = Image.open(io.BytesIO(explanation_png(scan, made, "task", "7.0")))
    english = Image.open(io.BytesIO(explanation_png(scan, made, "task", "7.0")))
    assert min(chinese.width, english.width) >= 400
    assert chinese.tobytes() != english.tobytes()


def test_a_picture_of_what_speaks_against_holds_nothing_that_speaks_for():
    scan = bundle_factory.scan(300, 500)
    made = explained(scan)
    whole, against = blend(scan, made), blend(scan, made, Drawing(against=True))
    speaks_for = drawn_values(made) > 0
    untouched = blend(scan, made, Drawing(opacity=0))
    assert np.array_equal(against[speaks_for], untouched[speaks_for])
    # The same limit, so that the same value has the same colour in both.
    assert np.array_equal(against[~speaks_for], whole[~speaks_for])
    assert not np.array_equal(whole[speaks_for], untouched[speaks_for])


def test_a_map_is_never_drawn_over_another_scan():
    made = explained(bundle_factory.scan(40, 56, seed=1))
    with pytest.raises(ValueError, match="own scan"):
        blend(bundle_factory.scan(40, 56, seed=2), made)


def test_a_kept_map_shows_what_was_on_screen_and_a_large_one_takes_no_more_room():
    rng = np.random.default_rng(3)
    small = rng.normal(0, 1e-6, (200, 300)).astype(np.float32)
    assert pack(small) == pack(small)
    back = unpack(pack(small), (200, 300))
    assert np.abs(back - small).max() <= np.abs(small).max() / 1000
    large = np.repeat(np.repeat(rng.normal(0, 1, (64, 96)), 32, 0), 32, 1).astype(np.float32)
    data = pack(large)
    assert len(data) < MOST_BYTES
    again = unpack(data, large.shape)
    assert again.shape == large.shape
    assert float(again.sum()) == pytest.approx(float(large.sum()), rel=0.05, abs=large.size * 0.01)
    assert np.corrcoef(again[16::32, 16::32].ravel(), large[16::32, 16::32].ravel())[0, 1] > 0.9
    for bad in (b"", data[:-5], b"OVM1" + bytes(12), data[:20] + bytes(50), pack(small)):
        with pytest.raises(MapDamaged):
            unpack(bad, large.shape if bad != pack(small) else (201, 300))
