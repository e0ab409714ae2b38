"""The contact sheet: a person must see where the masks lie."""

import io

import numpy as np
from PIL import Image

from benchmark.data.card import Card
from benchmark.data.prepare import checked, prepare
from benchmark.data.prepared import load
from benchmark.data.preview import contact_sheet
from tests.one_case import BALL, nifti, picture

ORANGE = (230, 159, 0)  # of the first class
TILE, CAPTION, GAP = 180, 18, 6


def folder_of(path, images, masks, ending):
    for kind, files in (("image", images), ("mask", masks)):
        (path / kind).mkdir(parents=True)
        for i, content in enumerate(files):
            (path / kind / f"c{i}{ending}").write_bytes(content)
    return path


def sheet_of(card, source, root):
    prepare(card, source, root)
    return np.asarray(Image.open(io.BytesIO(contact_sheet(load(root, card.name)))))


def test_an_outline_is_drawn_where_the_mask_is(tmp_path):
    """A square of rows and columns 10 to 19 of 30 is at 60 to 119 of a tile of 180."""
    mask = np.zeros((30, 30), np.uint8)
    mask[10:20, 10:20] = 255
    rng = np.random.default_rng(0)
    images = [picture(rng.integers(0, 90, (30, 30)).astype(np.uint8)) for _ in range(8)]
    source = folder_of(tmp_path / "from", images, [picture(mask)] * 8, ".png")
    card = Card(name="own", channels=1, size=[30, 30], test_share=0.25)
    sheet = sheet_of(card, source, tmp_path / "root")
    tile = sheet[CAPTION : CAPTION + TILE, :TILE]
    rows, columns = np.nonzero((tile == ORANGE).all(-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (60, 119, 60, 119)
    assert len(rows) == 4 * 60 - 4
    # Eight cases are two lines of tiles, and a line of the classes' names.
    assert sheet.shape == (2 * (CAPTION + TILE + GAP) + CAPTION, 6 * (TILE + GAP), 3)
    assert (sheet[-CAPTION:] == ORANGE).all(-1).any()


def test_of_a_volume_the_slice_with_most_foreground_is_drawn(tmp_path):
    """The ball is in slices 0 and 1 alone, at x 1 … 3 of 10 and y 2 … 6 of 8, which points up."""
    images = [nifti((100 * BALL + i + np.arange(6)).astype(np.uint8)) for i in range(4)]
    source = folder_of(tmp_path / "from", images, [nifti(BALL)] * 4, ".nii.gz")
    card = Card(name="own", channels=1, is_volume=True, readers=["volume_pairs"], test_share=0.25)
    sheet = sheet_of(card, source, tmp_path / "root")
    tile = sheet[CAPTION : CAPTION + TILE, :TILE]
    rows, columns = np.nonzero((tile == ORANGE).all(-1))
    assert (columns.min(), columns.max()) == (18, 71)  # 1/10 … 4/10 of 180
    assert (rows.min(), rows.max()) == (18, 107)  # from the top: 1 - 7/8 … 1 - 2/8 of 144


def test_a_check_finds_in_the_arrays_what_an_older_preparation_did_not_say(tmp_path):
    mask = np.zeros((16, 16), np.uint8)
    mask[4:9, 4:9] = 1
    same = picture(np.full((16, 16), 80, np.uint8))
    source = folder_of(tmp_path / "from", [same] * 4, [picture(mask)] * 4, ".png")
    card = Card(name="own", channels=1, size=[16, 16], test_share=0.5)
    prepare(card, source, tmp_path / "root")
    found = load(tmp_path / "root", "own")
    old = [
        c.model_copy(update={"image": "", "mask": "", "classes": []}) for c in found.manifest.cases
    ]
    manifest = found.manifest.model_copy(update={"faults": [], "cases": old})
    (fault,) = checked(found._replace(manifest=manifest)).faults
    assert fault.startswith("2 test images are in the train pool too")


def test_the_verb_draws_and_names_a_place_where_it_cannot(tmp_path, bench):
    mask = np.zeros((16, 16), np.uint8)
    mask[4:9, 4:9] = 1
    images = [picture(np.full((16, 16), 80 + i, np.uint8)) for i in range(4)]
    folder_of(tmp_path / "from", images, [picture(mask)] * 4, ".png")
    (tmp_path / "own.yaml").write_text("name: own\nchannels: 1\nsize: [16, 16]\n")
    words = ("data", "prepare", tmp_path / "own.yaml", "--from", tmp_path / "from")
    words = (*words, "--data-root", tmp_path / "root", "--preview")
    code, out, _ = bench(*words, tmp_path / "sheet.png")
    assert code == 0 and Image.open(tmp_path / "sheet.png").size[0] == 6 * (TILE + GAP)
    assert "class 1 foreground: 9.77 %, in 3 of 3 train and 1 of 1 test cases" in out
    assert "grey levels in use in a case: 1\n" in out
    assert "warning: 4 images of one grey value everywhere" in out
    code, _, err = bench(*words, tmp_path / "none" / "sheet.png")
    assert code == 2 and "--preview is a new .png in a folder that is there" in err
    code, _, _ = bench(
        "data", "check", "own", "--data-root", tmp_path / "root", "--preview", tmp_path / "b.png"
    )
    assert code == 0 and (tmp_path / "b.png").is_file()
