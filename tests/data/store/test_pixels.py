"""Pixels of images that anybody may have sent: exact where they are whole, refused where they are not."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data.store.images.encoding import encode_jpeg, encode_png
from data.store.images.headers import MOST_PIXELS, encoded_header
from data.store.images.pixels import decoded, decoded_depth, depth_png, pixels
from robot.errors import InputError


def picture(seed: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """Smooth in one part and noise in the other, as cameras give them."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([(rows * (k + 1) + columns * (3 - k)) % 256 for k in range(channels)], -1)
    image[height // 2 :] = random.integers(0, 256, image[height // 2 :].shape)
    return image.astype(np.uint8)


def packed(image: np.ndarray | Image.Image, form: str, **options: Any) -> bytes:
    file = BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, form, **options)
    return file.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    """The pixels as another library reads them."""
    with Image.open(BytesIO(data), formats=("JPEG", "PNG")) as image:
        return np.asarray(image if image.mode in ("L", "I;16") else image.convert("RGB"))


@given(
    seed=st.integers(0, 2**31),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    quality=st.integers(5, 100),
    subsampling=st.integers(0, 2),
    progressive=st.booleans(),
    grey=st.booleans(),
)
@settings(max_examples=60)
def test_a_jpeg_has_the_same_pixels_to_the_bit_in_another_library(
    seed: int, height: int, width: int, quality: int, subsampling: int, progressive: bool, grey: bool
) -> None:
    image = picture(seed, height, width)
    options = {"quality": quality, "progressive": progressive} | ({} if grey else {"subsampling": subsampling})
    data = packed(image[..., 0].copy() if grey else image, "JPEG", **options)
    found = decoded(data)
    assert found.dtype == np.uint8 and np.array_equal(found, by_pillow(data))
    header = encoded_header(data)
    assert (header.kind, header.shape, header.plain, header.end) == ("jpeg", found.shape, True, len(data))


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "1"])
@pytest.mark.parametrize("transparent", [False, True])
def test_every_kind_of_png_has_the_same_pixels_in_another_library(mode: str, transparent: bool) -> None:
    image = Image.fromarray(picture(1, 31, 40)).convert(mode)
    options = {"transparency": (1, 2, 3) if mode == "RGB" else 3} if transparent and mode in ("RGB", "L", "P") else {}
    data = packed(image, "PNG", **options)
    np.testing.assert_array_equal(decoded(data), by_pillow(data))
    assert encoded_header(data).plain == (mode in ("RGB", "L") and not options), "only these are stored as they are"


@given(seed=st.integers(0, 2**31), height=st.integers(1, 40), width=st.integers(1, 40))
@settings(max_examples=20)
def test_a_png_gives_back_what_was_put_in(seed: int, height: int, width: int) -> None:
    colour = picture(seed, height, width)
    depth = np.random.default_rng(seed).integers(0, 65536, (height, width)).astype(np.uint16)
    for image in (colour, colour[..., 0].copy(), depth):
        data = packed(image, "PNG")
        found, header = decoded(data), encoded_header(data)
        assert found.dtype == image.dtype and np.array_equal(found, image)
        assert (header.shape, header.dtype, header.plain) == (image.shape, image.dtype.name, True)


JPEG = packed(picture(3, 48, 64), "JPEG", quality=85)
PNG = packed(picture(3, 48, 64), "PNG")


@given(st.sampled_from([JPEG, PNG]), st.data())
def test_what_ends_early_is_refused_wherever_it_ends(whole: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InputError, match="a JPEG or a PNG, whole"):
        decoded(whole[:cut])


@given(st.integers(0, len(PNG) - 1), st.integers(1, 255))
def test_a_png_with_one_wrong_byte_is_refused(at: int, change: int) -> None:
    damaged = bytearray(PNG)
    damaged[at] ^= change
    with pytest.raises(InputError):
        decoded(bytes(damaged))


@given(st.sampled_from([JPEG, PNG]), st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=6)), max_size=4))
def test_nothing_else_is_raised_whatever_the_bytes_are(whole: bytes, changes: list[tuple[int, bytes]]) -> None:
    damaged = whole
    for at, put in changes:
        damaged = damaged[:at] + put + damaged[at + len(put) // 2 :]
    try:
        found = decoded(damaged)
    except InputError:
        return
    assert found.dtype in (np.uint8, np.uint16) and found[..., :1].size <= MOST_PIXELS


@given(st.binary(max_size=200))
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        decoded(data)


def test_an_image_that_claims_to_be_huge_is_refused_before_it_is_decoded() -> None:
    frame = JPEG.index(b"\xff\xc0")
    with pytest.raises(InputError, match="65500 x 65500 pixels"):
        decoded(JPEG[: frame + 5] + b"\xff\xdc\xff\xdc" + JPEG[frame + 9 :])
    content = b"IHDR" + struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    with pytest.raises(InputError, match="2147483647 x 2147483647 pixels"):
        decoded(PNG[:8] + b"\x00\x00\x00\x0d" + content + struct.pack(">I", zlib.crc32(content)) + PNG[33:])
    many = b"\xff\xd8" + b"\xff" * 100_000
    with pytest.raises(InputError, match="without a scan"):
        decoded(many)


def test_the_padding_of_a_camera_is_no_part_of_its_image() -> None:
    assert encoded_header(JPEG + bytes(500)).end == len(JPEG)
    np.testing.assert_array_equal(decoded(JPEG + bytes(500)), decoded(JPEG))


def test_a_jpeg_for_printers_is_refused() -> None:
    with pytest.raises(InputError, match="4 channels"):
        decoded(packed(Image.fromarray(picture(0, 8, 8)).convert("CMYK"), "JPEG"))


# -- depth ------------------------------------------------------------------------------------------------------------


def test_compressed_depth_in_millimetres_is_exact() -> None:
    depth = np.random.default_rng(5).integers(0, 65536, (20, 30)).astype(np.uint16)
    data = struct.pack("<iff", 0, 0.0, 0.0) + packed(depth, "PNG")
    for form in ("16UC1; compressedDepth png", "16UC1; compressedDepth", "mono16; compressedDepth png"):
        np.testing.assert_array_equal(decoded_depth(data, form), depth)
        np.testing.assert_array_equal(decoded(depth_png(data, form)), depth)


@given(st.integers(0, 2**31))
@settings(max_examples=30)
def test_quantised_depth_is_as_near_as_its_quantum_and_zero_where_there_is_none(seed: int) -> None:
    random = np.random.default_rng(seed)
    metres = random.uniform(0.3, 9.9, (12, 15))
    metres[random.random(metres.shape) < 0.2] = np.nan
    # As the transport has it: most 10 m, 100 quanta at that depth.
    a, farthest = np.float32(100 * (100 + 1)), 10.0
    b = np.float32(1 - a / farthest)
    with np.errstate(invalid="ignore"):
        inverse = np.where(np.isfinite(metres), a / metres + b, 0).astype(np.uint16)
    found = decoded_depth(struct.pack("<iff", 0, a, b) + packed(inverse, "PNG"), "32FC1; compressedDepth png")
    known = np.isfinite(metres)
    assert found.dtype == np.uint16 and (found[~known] == 0).all()
    quantum = metres[known] ** 2 / float(a)
    assert (np.abs(found[known] / 1e3 - metres[known]) <= 1.2 * quantum + 1e-3).all()


@pytest.mark.parametrize(
    "form", ["16UC1; compressedDepth rvl", "8UC3; compressedDepth png", "compressedDepth", "\x00;"]
)
def test_depth_that_is_packed_otherwise_is_refused_by_name(form: str) -> None:
    data = bytes(12) + packed(np.zeros((4, 4), np.uint16), "PNG")
    with pytest.raises(InputError, match=r"expected 16UC1 or 32FC1 as PNG, got '.*'. Set the publisher's"):
        decoded_depth(data, form)


@pytest.mark.parametrize("data", [b"", bytes(11), bytes(12), bytes(12) + PNG, bytes(12) + JPEG])
def test_depth_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="compressed"):
        decoded_depth(data, "32FC1; compressedDepth png")


def test_raw_depth_in_metres_comes_out_in_millimetres() -> None:
    metres = np.array([[0.5, 1.2344, np.nan], [-1.0, np.inf, 70.0]], np.float32)
    expected = np.array([[500, 1234, 0], [0, 0, 0]], np.uint16)
    np.testing.assert_array_equal(pixels(metres.tobytes(), "32FC1", 2, 3, 12, False), expected)
    np.testing.assert_array_equal(pixels(metres.astype(">f4").tobytes(), "32FC1", 2, 3, 12, True), expected)


def test_raw_pixels_are_a_view_where_nothing_has_to_be_turned_round() -> None:
    image = picture(0, 6, 5)
    buffer = bytearray(image.tobytes())
    found = pixels(buffer, "rgb8", 6, 5, 15, False)
    buffer[0] ^= 0xFF
    assert found[0, 0, 0] == image[0, 0, 0] ^ 0xFF


def _patched(name: str) -> bytes:
    """A JPEG or PNG that says something else of itself than it is, or is not whole."""
    jpeg, png = encode_jpeg(picture(1, 24, 32), 90), encode_png(picture(1, 24, 32))
    frame, scan = jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xda")
    pixels = png.index(b"IDAT") - 4

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    header = bytearray(png[16:29])
    header[12] = 7
    return {
        "bits": jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :],
        "lossless": jpeg[:frame] + b"\xff\xc3" + jpeg[frame + 2 :],
        "two frames": jpeg[:scan] + jpeg[frame : frame + 19] + jpeg[scan:],
        "no tables": jpeg[:2] + jpeg[frame:],
        "no frame": jpeg[:frame] + jpeg[frame + 19 :],
        "sampling": jpeg[: frame + 11] + b"\x00" + jpeg[frame + 12 :],
        "no end": jpeg[:-60],
        "no pixels": png[:pixels] + chunk(b"IEND", b""),
        "interlace": png[:8] + chunk(b"IHDR", bytes(header)) + png[33:],
        "critical": png[:pixels] + chunk(b"ABCD", b"x") + png[pixels:],
    }[name]


@pytest.mark.parametrize(
    "name, reason",
    [
        ("bits", "a JPEG of 12 bits"),
        ("lossless", "a frame of kind c3"),
        ("two frames", "a JPEG with two frames"),
        ("no tables", "without its tables"),
        ("no frame", "without a frame"),
        ("sampling", "damaged"),
        ("no end", "without its end"),
        ("no pixels", "a PNG without pixels"),
        ("interlace", "interlace"),
        ("critical", "must be understood"),
    ],
)
def test_an_image_that_no_decoder_reads_is_no_image(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        encoded_header(_patched(name))


def test_markers_without_a_segment_are_passed_over() -> None:
    jpeg = encode_jpeg(picture(1, 24, 32), 90)
    assert encoded_header(jpeg[:2] + b"\xff\x01\xff\xd0\xff" + jpeg[2:]).shape == (24, 32, 3)
