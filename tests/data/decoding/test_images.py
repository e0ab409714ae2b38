"""Pictures: what a file holds becomes grey values or colours, and masks their classes."""

import contextlib
import io
import struct

import numpy as np
import pytest
import SimpleITK
from PIL import ExifTags, Image, ImageOps

from benchmark.data.card import Card
from benchmark.data.decoding.case import Decoded, Seen
from benchmark.data.decoding.images import Picture, as_mask, as_picture, resize_image
from benchmark.data.decoding.masks import Mask
from benchmark.data.decoding.rasters import opened
from benchmark.data.decoding.shelf import Shelf, stacked
from tests.one_case import DISC, decoded, itk, picture

BINARY = Card(name="own", channels=1, size=[8, 8])
LABELS = Card(name="own", mask="labels")


def read_image(name: str, content: bytes, card: Card) -> Picture:
    return as_picture(name, opened(name, content), card)


def read_mask(name: str, content: bytes, card: Card) -> Mask:
    return as_mask(name, opened(name, content), card)


def mask_of(image: Image.Image, card: Card, kind: str = "png") -> np.ndarray:
    return read_mask(f"a.{kind}", picture(image, kind), card).classes


def palette(colours: list[int], numbers: np.ndarray) -> Image.Image:
    image = Image.fromarray(numbers).convert("P")
    image.putdata(numbers.ravel().tolist())
    image.putpalette([level for colour in colours for level in colour])
    return image


BLACK, GREY, WHITE, RED = (0, 0, 0), (128, 128, 128), (255, 255, 255), (255, 0, 0)


@pytest.mark.parametrize(
    ("rule", "colours", "numbers"),
    [
        ("binary", [BLACK, WHITE], DISC),
        ("binary", [WHITE, BLACK], 1 - DISC),  # as Pillow's quantize may order them
        ("nonzero", [WHITE, BLACK], 1 - DISC),
        ("> 127", [WHITE, BLACK], 1 - DISC),
        ("> 127", [BLACK, WHITE], DISC),
        ("labels", [BLACK, GREY], DISC),
        ("labels", [BLACK, RED], DISC),  # PASCAL VOC
    ],
)
def test_a_palette_is_read_by_its_colours_where_they_have_an_order(rule, colours, numbers):
    card = Card(name="own", mask=rule)
    assert np.array_equal(mask_of(palette(colours, numbers), card), DISC)


def test_a_palette_whose_order_is_unknown_is_refused():
    with pytest.raises(ValueError, match="the values 0, 255, and classes are 0 … 1"):
        mask_of(palette([WHITE, BLACK], 1 - DISC), LABELS)
    with pytest.raises(ValueError, match="has a palette of colours, and the card a rule for greys"):
        mask_of(palette([BLACK, RED], DISC), Card(name="own", mask="> 127"))


@pytest.mark.parametrize("rule", ["binary", "nonzero", "labels"])
def test_a_palette_whose_background_is_not_its_first_entry_is_refused(rule):
    """As Pillow's quantize orders red and black; the card may name the colours."""
    card = Card(name="own", mask=rule)
    with pytest.raises(ValueError, match="black is entry 1 and entry 0 another colour"):
        mask_of(palette([RED, BLACK], 1 - DISC), card)
    named = Card(name="own", mask="labels", values={"#000000": 0, "#ff0000": 1})
    assert np.array_equal(mask_of(palette([RED, BLACK], 1 - DISC), named), DISC)


def test_a_palette_of_many_colours_is_read_by_number_in_empty_masks_too():
    """ImageJ's Glasbey begins with white: in an empty mask nothing else is used."""
    glasbey, card = [WHITE, (0, 0, 255), RED, (0, 255, 0)], Card(name="own", mask="nonzero")
    assert np.array_equal(mask_of(palette(glasbey, 3 * DISC), card), DISC)
    assert not mask_of(palette(glasbey, 0 * DISC), card).any()


def test_values_of_the_card_are_greys_whatever_the_file_calls_them():
    """Equal greys as such, in a palette, and as bits."""
    card = Card(name="own", mask="labels", classes=list("abc"), values={128: 2, 255: 1})
    numbers = np.array([[0, 1], [2, 1]], np.uint8)
    shades = np.array([0, 128, 255], np.uint8)[numbers]
    expected = [[0, 2], [1, 2]]
    assert mask_of(Image.fromarray(shades), card).tolist() == expected
    assert mask_of(palette([BLACK, GREY, WHITE], numbers), card).tolist() == expected
    bits = Image.fromarray(255 * DISC).convert("1")
    assert np.array_equal(mask_of(bits, card), DISC)


def tiff(values: np.ndarray, *tags: tuple[int, int]) -> bytes:
    """A TIFF with these tags set otherwise than Pillow writes them."""
    image = Image.fromarray(values)
    return picture(image, "tiff", tiffinfo=dict(tags))


SIGNED, WHITE_IS_ZERO = (339, 2), (262, 0)


def test_numbers_that_pillow_would_wrap_are_read_as_they_are():
    """Signed bytes and 32 bits without a sign; 16 bits whose white is 0."""
    signed = np.array([[-1, 1], [0, 127]], np.int8)
    content = tiff(signed.view(np.uint8), SIGNED)
    with pytest.raises(ValueError, match=r"-1, 0, 1, 127: no class is negative"):
        read_mask("a.tif", content, BINARY)
    with pytest.raises(ValueError, match=r"from -1 to 127, of int8"):
        read_image("a.tif", content, BINARY)
    inverted = tiff(np.array([[65535, 65534]], np.uint16), WHITE_IS_ZERO)
    assert read_image("a.tif", inverted, BINARY).values.ravel().tolist() == [0, 1]
    assert read_mask("a.tif", inverted, BINARY).classes.tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="a TIFF of a kind that is not read"):
        read_image("a.tif", b"II*\0" + bytes(40), BINARY)


def test_masks_of_three_deep_channels_keep_their_numbers(tmp_path):
    """Objects 5 and 300: of the upper byte alone, 5 would be nothing."""
    numbers = np.zeros((4, 4), np.uint16)
    numbers[0], numbers[1] = 5, 300
    content = itk(tmp_path, "a.png", np.stack([numbers] * 3, -1))
    found = read_mask("a.png", content, Card(name="own", mask="nonzero")).classes
    assert np.array_equal(found, numbers > 0)


def test_shades_of_a_jpeg_are_no_objects():
    smooth = Image.fromarray(255 * np.kron(DISC, np.ones((7, 7), np.uint8)))
    for rule in ("nonzero", "labels"):
        with pytest.raises(ValueError, match="is a JPEG, which changes values near edges"):
            mask_of(smooth, Card(name="own", mask=rule), "jpeg")
    found = mask_of(smooth, Card(name="own", mask="> 127"), "jpeg")
    assert np.array_equal(found, np.asarray(smooth) > 0)


def test_an_object_in_the_alpha_channel_is_named_and_can_be_read():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., 3] = 255 * DISC
    image = Image.fromarray(pixels)
    with pytest.raises(ValueError, match="mask_channel: 3 in the card reads that"):
        mask_of(image, BINARY)
    assert np.array_equal(mask_of(image, Card(name="own", mask_channel=3)), DISC)
    opaque = np.dstack([255 * DISC] * 3 + [np.full_like(DISC, 255)])
    assert np.array_equal(mask_of(Image.fromarray(opaque), BINARY), DISC)


def test_a_picture_that_says_it_lies_on_its_side_is_turned_with_its_mask(tmp_path):
    """Orientation 6: turn clockwise. The mask was drawn on the upright picture."""
    upright = np.zeros((6, 8), np.uint8)
    upright[1, 2] = 200
    tags = Image.Exif()
    tags[0x0112] = 6
    card = Card(name="own", channels=1, size=[6, 8])
    images = {"a.png": picture(np.rot90(upright), exif=tags)}
    found = decoded(tmp_path, card, images, {"a.png": picture(upright)})
    assert np.array_equal(found.image[..., 0], upright)
    assert np.array_equal(found.mask, upright // 200)
    assert found.source_shape == (6, 8)


def test_several_pages_are_refused():
    page = Image.fromarray(255 * DISC)
    content = picture(page, "tiff", save_all=True, append_images=[page])
    with pytest.raises(ValueError, match=r"mask/a\.tif has 2 pages"):
        read_mask("mask/a.tif", content, BINARY)


DEEP = np.array([[0, 257, 40000], [65535, 1, 2]], np.uint16)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_are_kept(kind):
    found = read_image(f"a.{kind}", picture(DEEP, kind), BINARY).values
    assert found.dtype == np.uint16 and np.array_equal(found[..., 0], DEEP)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_so_are_those_of_colours_of_which_pillow_drops_half(name, tmp_path):
    colours = np.stack([DEEP, DEEP // 2, DEEP // 4], -1)
    content = itk(tmp_path, name, colours)
    assert np.array_equal(read_image(name, content, Card(name="own")).values, colours)
    with pytest.raises(ValueError, match="a colour picture of uint16 per channel"):
        read_image(name, content, BINARY)


def test_other_numbers_need_a_window_or_percentiles():
    """From -100 to 300 at 0 … 65535: 0 is at a quarter, 16383.75."""
    values = np.array([[-500.0, -100], [0, 900]], np.float32)
    content = picture(values, "tiff")
    with pytest.raises(ValueError, match=r"from -500 to 900, .* such as window: \[-500, 900\]"):
        read_image("a.tif", content, BINARY)
    card = Card(name="own", channels=1, window=[-100, 300])
    found = read_image("a.tif", content, card).values[..., 0]
    assert (found / np.iinfo(found.dtype).max).round(2).tolist() == [[0, 0], [0.25, 1]]


def test_sixteen_bits_are_resized_as_bytes_are():
    """Halved: the mean of four pixels, whichever type."""
    deep = resize_image(np.array([[0, 1000], [2000, 4000]], np.uint16)[..., None], [1, 1])
    assert deep.dtype == np.uint16 and deep.ravel().tolist() == [1750]


def test_colours_that_become_grey_are_seen(tmp_path):
    coloured = np.dstack([200 * DISC, 0 * DISC, 0 * DISC])
    for image, expected in ((coloured, {Seen.WAS_COLOUR}), (np.dstack([200 * DISC] * 3), set())):
        found = decoded(tmp_path, BINARY, {"a.png": picture(image)}, {"a.png": picture(DISC)})
        assert found.seen == expected


COLOURS = Card(
    name="own",
    mask="labels",
    classes=["background", "left", "right"],
    values={"#000000": 0, "#FF0000": 1, "#0000ff": 2},
)


def test_colours_are_the_classes_that_the_card_gives_them():
    """Whether they come as colours or in a palette."""
    numbers = np.array([[0, 1], [2, 1]], np.uint8)
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)[numbers]
    assert np.array_equal(mask_of(Image.fromarray(colours), COLOURS), numbers)
    other = palette([BLACK, (0, 0, 255), RED], np.array([[0, 2], [1, 2]], np.uint8))
    assert np.array_equal(mask_of(other, COLOURS), numbers)
    with pytest.raises(ValueError, match="do not name: #00ff00"):
        mask_of(Image.fromarray(colours[..., [2, 0, 1]]), COLOURS)


def test_bits_are_classes_or_black_and_white():
    bits = Image.fromarray(255 * DISC).convert("1")
    for card in (LABELS, BINARY, Card(name="own", mask="> 127"), Card(name="own", mask="> 0.5")):
        assert np.array_equal(mask_of(bits, card), DISC)


def test_several_masks_of_one_image_are_one(tmp_path):
    """But for classes, of which one would have to win."""
    other = np.zeros_like(DISC)
    other[6, 6] = 1
    masks = {"a_mask.png": picture(255 * DISC), "a_mask_1.png": picture(255 * other)}
    images = {"a.png": picture(100 * DISC)}
    assert np.array_equal(decoded(tmp_path, BINARY, images, masks).mask, DISC | other)
    labels = LABELS.model_copy(update={"channels": 1})
    with pytest.raises(ValueError, match="2 masks for one image, and mask: labels"):
        decoded(tmp_path, labels, images, {k: picture(DISC) for k in masks})


def test_a_mask_below_the_card_s_rule_is_seen(tmp_path):
    card = Card(name="own", channels=1, size=[8, 8], mask="> 127")
    images = {"a.png": picture(100 * DISC)}
    for mask, expected in ((DISC, {Seen.BELOW_RULE}), (0 * DISC, set()), (255 * DISC, set())):
        assert decoded(tmp_path, card, images, {"a.png": picture(mask)}).seen == expected


SOFT = np.clip(1.5 - np.hypot(*np.mgrid[-3.5:4, -3.5:4]) / 2.5, 0, 1)
"""1 within a radius of 1.2, then less and less: above a half within 2.5, above 0 within 3.7."""


@pytest.mark.parametrize(
    ("mask", "rule", "is_seen"),
    [
        ((65535 * SOFT).astype(np.uint16), "> 127", True),
        ((65535 * SOFT).astype(np.uint16), "> 32767", False),
        (65535 * DISC.astype(np.uint16), "> 127", False),  # two values: any rule will do
        ((255 * SOFT).astype(np.uint8), "> 127", False),
        ((255 * SOFT).astype(np.uint8), "> 1", True),
        (np.cumsum(DISC, dtype=np.uint8).reshape(8, 8) * DISC, "> 0.5", False),  # instance numbers
    ],
)
def test_a_rule_for_8_bits_is_seen_in_soft_masks_of_16(tmp_path, mask, rule, is_seen):
    card = Card(name="own", channels=1, size=[8, 8], mask=rule)
    images = {"a.png": picture(100 * DISC)}
    made = decoded(tmp_path, card, images, {"a.png": picture(mask)})
    assert (Seen.LOW_RULE in made.seen) == is_seen


def test_a_slide_larger_than_pillow_takes_is_read():
    """196 million pixels; Pillow refuses above 179 million."""
    large = Image.new("L", (14000, 14000), 7)
    assert read_image("a.png", picture(large, compress_level=1), BINARY).values[-1, -1, 0] == 7


def test_images_that_lie_side_by_side_are_not_copied():
    card = Card(name="own", channels=1, size=[2, 2])
    shelf = Shelf(4, card)
    ones = [
        shelf.laid(
            Decoded(np.full((2, 2, 1), i, np.uint8), np.full((2, 2), i, np.uint8), (2, 2), 1)
        )
        for i in range(3)
    ]
    together = stacked([one.image for one in ones])
    assert together.shape == (3, 2, 2, 1) and together[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert np.shares_memory(together, ones[1].image)
    assert stacked([one.mask for one in ones[1:]])[:, 0, 0].tolist() == [1, 2]
    turned = stacked([one.mask for one in ones[::-1]])
    assert turned[:, 0, 0].tolist() == [2, 1, 0]
    deep = Decoded(np.full((2, 2, 1), 999, np.uint16), ones[0].mask, (2, 2), 1)
    assert shelf.laid(deep) is deep
    assert stacked([ones[0].image.astype(np.uint16), deep.image])[:, 0, 0, 0].tolist() == [0, 999]


@pytest.mark.parametrize(
    ("kind", "rule"), [("tiff", "> 127"), ("tiff", "binary"), ("jpeg", "> 127")]
)
def test_masks_in_the_colours_of_a_printer_are_not_inverted(kind, rule):
    """Of CMYK 255 is all ink, and dark."""
    disc = Image.fromarray(255 * DISC).resize((64, 64), Image.Resampling.NEAREST)
    mask = disc.convert("RGB").convert("CMYK")
    found = read_mask("a", picture(mask, kind, **({"quality": 100} if kind == "jpeg" else {})),
                      Card(name="own", mask=rule)).classes  # fmt: skip
    assert np.array_equal(found, np.asarray(disc) // 255)


def test_a_mask_without_the_alpha_channel_that_the_card_names_is_refused():
    card = Card(name="own", mask="nonzero", mask_channel=3)
    with_alpha = np.dstack([255 * DISC] * 3 + [255 * DISC])
    assert np.array_equal(mask_of(Image.fromarray(with_alpha), card), DISC)
    for image in (with_alpha[..., :3], with_alpha[..., 0]):
        with pytest.raises(ValueError, match="has no alpha channel"):
            mask_of(Image.fromarray(image), card)


def test_an_object_in_the_alpha_channel_of_a_coloured_mask_is_named():
    card = Card(name="own", mask="labels", values={"#000000": 0, "#ff0000": 1})
    red = np.zeros((8, 8, 4), np.uint8)
    red[..., 0], red[..., 3] = 255, 255 * DISC
    with pytest.raises(ValueError, match="the object in the alpha channel"):
        mask_of(Image.fromarray(red), card)


def test_a_class_has_one_number_in_all_masks_of_a_palette_of_colours():
    """Though one of them happens to hold none but black and white."""
    both = palette([BLACK, WHITE, RED], DISC + np.triu(np.ones((8, 8), np.uint8), 6) * 2)
    card = Card(name="own", mask="labels", classes=["background", "white", "red"])
    assert np.array_equal(mask_of(palette([BLACK, WHITE, RED], DISC), card), DISC)
    assert set(np.unique(mask_of(both, card))) == {0, 1, 2}


def test_a_soft_jpeg_is_not_cut_at_half_of_one():
    disc = Image.fromarray(255 * DISC).resize((64, 64))
    with pytest.raises(ValueError, match="is a JPEG, which changes values near edges"):
        read_mask("a.jpg", picture(disc, "jpeg"), Card(name="own", mask="> 0.5"))


def test_a_mask_of_not_a_numbers_is_called_that():
    with pytest.raises(ValueError, match="64 NaN, which is no class"):
        read_mask("a.tif", picture(np.full((8, 8), np.nan, np.float32), "tiff"), BINARY)


def test_a_damaged_tag_beside_the_orientation_stops_nothing():
    """Tag 282 (resolution) as bytes, which Pillow cannot write again."""
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    entries = struct.pack("<HHIHH", 274, 3, 1, 6, 0)  # the orientation: a quarter turn clockwise
    entries += struct.pack("<HHI4s", 282, 7, 4, b"\xff\0\xff\0")
    tagged = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    content = picture(image, "jpeg", exif=tagged, quality=100)
    with pytest.raises(TypeError):
        ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    upright = np.asarray(opened("a.jpg", content)).astype(int)
    assert np.abs(upright - np.rot90(np.asarray(image), -1)).max() <= 3


@pytest.mark.parametrize(
    ("number", "turn"),
    [
        (1, lambda a: a), (2, np.fliplr), (3, lambda a: np.rot90(a, 2)), (4, np.flipud),
        (5, np.transpose), (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(np.transpose(a), 2)), (8, np.rot90),
    ],
)  # fmt: skip
def test_an_orientation_is_followed(number, turn):
    """What the numbers mean: EXIF 2.3, table 6; row 0 and column 0 are which sides of the scene."""
    values = np.arange(48, dtype=np.uint8).reshape(6, 8)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = number
    content = picture(Image.fromarray(values), "png", exif=exif.tobytes())
    assert np.array_equal(np.asarray(opened("a.png", content)), turn(values))


def test_a_cut_off_file_of_two_pages_is_one_sentence():
    pages = [Image.fromarray(np.full((32, 32), v, np.uint8)) for v in (1, 2)]
    stream = io.BytesIO()
    pages[0].save(stream, "tiff", save_all=True, append_images=pages[1:])
    whole = stream.getvalue()
    for end in range(8, len(whole), 7):
        with contextlib.suppress(ValueError):
            opened("a.tif", whole[:end])


def test_the_image_in_the_place_of_its_mask_is_seen_in_another_format(tmp_path):
    values = np.arange(64, dtype=np.uint8).reshape(8, 8)
    card = BINARY.model_copy(update={"mask": "nonzero"})
    found = decoded(tmp_path, card, {"a.bmp": picture(values, "bmp")}, {"a.png": picture(values)})
    assert Seen.IMAGE_AGAIN in found.seen


def test_a_mask_without_background_is_seen(tmp_path):
    image = {"a.png": picture(np.arange(64, dtype=np.uint8).reshape(8, 8))}
    full = decoded(tmp_path, BINARY, image, {"a.png": picture(np.full((8, 8), 255, np.uint8))})
    assert Seen.NO_BACKGROUND in full.seen
    part = decoded(tmp_path / "part", BINARY, image, {"a.png": picture(255 * DISC)})
    assert Seen.NO_BACKGROUND not in part.seen


def test_a_turned_image_and_a_mask_that_is_not_are_named_so(tmp_path):
    image = {"a.png": picture(np.arange(48, dtype=np.uint8).reshape(6, 8))}
    with pytest.raises(ValueError, match=r"6×8 in mask/a\.png.*EXIF orientation"):
        decoded(tmp_path, BINARY, image, {"a.png": picture(DISC[:, :6])})


@pytest.mark.parametrize(
    ("number", "sides", "mask_number", "is_seen"),
    [
        (1, (8, 8), 1, False), (3, (6, 8), 1, True), (2, (8, 8), 1, True), (6, (8, 8), 1, True),
        (6, (8, 6), 1, False), (6, (8, 6), 6, False), (1, (8, 8), 8, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["png", "tiff", "jpeg"])
def test_an_image_that_exif_turns_alone_is_seen(
    tmp_path, number, sides, mask_number, is_seen, ending
):
    """Where the sizes of image and mask agree with the turn and without, neither is excluded."""

    def stored(values, orientation, ending):
        tags = Image.Exif()
        tags[ExifTags.Base.Orientation] = orientation
        return picture(values, ending, exif=tags)

    image = np.arange(sides[0] * sides[1], dtype=np.uint8).reshape(sides)
    width, height = sides if number == 6 else sides[::-1]
    mask = np.zeros(sides if mask_number > 4 else (height, width), np.uint8)
    mask[1:3, 1:4] = 255
    files = (
        {f"a.{ending}": stored(image, number, ending)},
        {"a.png": stored(mask, mask_number, "png")},
    )
    assert (Seen.TURNED in decoded(tmp_path, BINARY, *files).seen) == is_seen


def test_a_tiff_of_deep_colours_that_exif_turns_is_refused(tmp_path):
    """Pillow would turn it, and the reader that keeps 16 bits does not read it."""
    values = np.arange(6 * 8 * 3, dtype=np.uint16).reshape(6, 8, 3) * 400
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values, isVector=True), tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    upright, turned = (struct.pack("<HHII", 274, 3, 1, number) for number in (1, 3))
    assert content.count(upright) == 1
    assert np.array_equal(np.asarray(opened("a.tif", content)), values)
    with pytest.raises(ValueError, match="turned"):
        opened("a.tif", content.replace(upright, turned))


def test_an_image_without_a_mask_is_not_turned_alone(tmp_path):
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 3
    for name, exif in (("plain", None), ("turned", tags)):
        content = picture(100 * DISC, **({} if exif is None else {"exif": exif}))
        assert Seen.TURNED not in decoded(tmp_path / name, BINARY, {"a.png": content}, {}).seen
