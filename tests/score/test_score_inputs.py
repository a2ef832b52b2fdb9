"""What is to be read is never written over, by whatever name it is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from score_tools import folder_of, good_scan, rows_of

from core.errors import ScoreError
from core.model import Predictor
from core.scan import encode_png
from core.score import Options, score
from core.settings import Settings

MODES = [Options(), Options(overwrite=True), Options(resume=True)]


@pytest.mark.parametrize("how", ["itself", "symbolic link", "hard link", "roundabout"])
@pytest.mark.parametrize("options", MODES, ids=["plain", "overwrite", "resume"])
@pytest.mark.parametrize("content", ["image", "table", "empty"])
def test_an_image_that_is_named_as_the_table_too_stays_as_it_is(
    tmp_path: Path,
    predictor: Predictor,
    model_site: Settings,
    how: str,
    options: Options,
    content: str,
) -> None:
    image, out = tmp_path / "x.png", tmp_path / "out.csv"
    before = {
        "image": encode_png(good_scan(1)),
        "table": b"notice,file,frame,more\n",
        "empty": b"",
    }[content]
    image.write_bytes(before)
    if how == "itself":
        out = image
    elif how == "symbolic link":
        out.symlink_to(image)
    elif how == "hard link":
        os.link(image, out)
    else:
        out = tmp_path / "deeper" / ".." / "x.png"
        (tmp_path / "deeper").mkdir()
    with pytest.raises(ScoreError, match="over what is to be read"):
        score([tmp_path / "other.png", image], out, predictor, model_site, options)
    assert image.read_bytes() == before


@pytest.mark.parametrize("options", MODES, ids=["plain", "overwrite", "resume"])
def test_an_image_in_a_folder_that_is_read_is_not_written_over_either(
    tmp_path: Path, predictor: Predictor, model_site: Settings, options: Options
) -> None:
    folder = folder_of(tmp_path / "in", 2)
    image = next(folder.rglob("*.png"))
    linked = tmp_path / "out.csv"
    os.link(image, linked)
    before = image.read_bytes()
    for out in (image, linked):
        with pytest.raises(ScoreError):
            score([folder], out, predictor, model_site, options)
        assert image.read_bytes() == before


def test_the_table_of_an_earlier_run_is_left_out_by_whatever_name_it_is_met(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    folder = folder_of(tmp_path / "in", 1)
    out = folder / "out\u200b.csv"
    score([folder], out, predictor, model_site)
    os.link(out, folder / "again.csv")
    (folder / "linked.csv").symlink_to(out)
    summary = score([folder], out, predictor, model_site, Options(overwrite=True))
    assert (summary.files, summary.problems) == (1, 0)
    assert len(rows_of(out)) == 1
