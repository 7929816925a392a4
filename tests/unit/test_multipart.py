"""``multipart/form-data`` piece by piece (RFC 7578, RFC 2046 §5.1)."""

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.forms import BOUNDARY, CONTENT_TYPE, Field, form

from onebell.http.multipart import NotMultipart, form_parts

DELIMITER = f"\r\n--{BOUNDARY}".encode()


async def pieces_of(body: bytes, sizes: Sequence[int]) -> AsyncIterator[bytes]:
    at, turn = 0, 0
    while at < len(body):
        size = sizes[turn % len(sizes)]
        yield body[at : at + size]
        at, turn = at + size, turn + 1


async def read(body: bytes, sizes: Sequence[int] = (65536,), content_type: str = CONTENT_TYPE) -> list[Field]:
    found = []
    async for part in form_parts(content_type, pieces_of(body, sizes)):
        value = b"".join([piece async for piece in part.pieces])
        found.append(Field(part.name, value, part.filename, part.type))
    return found


# Values that look like the delimiter are what a splitter gets wrong.
values = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", DELIMITER[:9], DELIMITER[:-1], b"x"]), max_size=12).map(
        b"".join
    ),
).filter(lambda value: DELIMITER not in b"\r\n" + value + b"\r\n")
fields = st.builds(
    Field,
    st.sampled_from(["file", "thumbnail-width", "说明"]),
    values,
    st.sampled_from([None, "", "a.jpg", "图片 1.png"]),
    st.sampled_from(["", "image/jpeg"]),
)


@given(st.lists(fields, max_size=4), st.lists(st.integers(1, 97), min_size=1, max_size=5))
async def test_a_form_is_read_however_it_is_cut(sent: list[Field], sizes: list[int]) -> None:
    """Names, file names, types and bytes come back, wherever the pieces of the stream end."""
    assert await read(form(*sent), sizes) == sent


@given(st.binary(max_size=300), st.integers(1, 50))
async def test_whatever_comes_ends(garbage: bytes, size: int) -> None:
    """A body that is no form, or half of one, ends in the one refusal."""
    whole = form(Field("file", b"x" * 40, "a", "image/png"))
    for body in (garbage, whole[: len(garbage)], whole[:60] + garbage):
        try:
            await read(body, [size])
        except NotMultipart:
            continue


async def test_what_is_left_of_a_part_is_passed_over() -> None:
    """Who takes the next part need not have read the one before."""
    body = form(Field("file", b"x" * 100_000), Field("second", b"2"))
    found = []
    async for part in form_parts(CONTENT_TYPE, pieces_of(body, [1000])):
        found.append(await anext(part.pieces, b""))
    assert found == [b"x" * len(found[0]), b"2"]
    assert 0 < len(found[0]) < 2000


async def test_a_short_field_is_cut_at_its_limit() -> None:
    """A field that is read as text never takes more than its limit."""
    async for part in form_parts(CONTENT_TYPE, pieces_of(form(Field("name", b"a" * 5000)), [100])):
        assert await part.text(16) == "a" * 16


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (form(Field("a", b"1"), end=b"--"), [Field("a", b"1")]),  # no line end behind the last delimiter
        (b"a preamble\r\n" + form(Field("a", b"1")) + b"an epilogue", [Field("a", b"1")]),
        (form(Field("a", b"1")).replace(DELIMITER[2:] + b"\r", DELIMITER[2:] + b" \t\r"), [Field("a", b"1")]),
        (form(), []),
        (
            form(Field("a", b"1")).replace(b'name="a"', b"name=a; filename*=UTF-8''%e5%9b%be.png"),
            [Field("a", b"1", "图.png")],
        ),
        (form(Field("a", b"1")).replace(b"Content-Disposition: form-data; name", b"content-disposition:form-data;NAME"),
         [Field("a", b"1")]),
    ],
)  # fmt: skip
async def test_forms_in_the_wild(body: bytes, found: list[Field]) -> None:
    """Preamble, epilogue, blanks, unquoted and extended parameters, headers in any case."""
    assert await read(body) == found


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x", 'multipart/form-data; boundary=""',
     f"multipart/form-data; boundary={'b' * 71}"],
)  # fmt: skip
async def test_other_content_types_are_refused(content_type: str) -> None:
    """Without a boundary of RFC 2046's length nothing is a form."""
    with pytest.raises(NotMultipart):
        await read(form(Field("a", b"1")), content_type=content_type)


@pytest.mark.parametrize("charset", ["x\0y", "idna", "undefined", "utf-7"])
async def test_charsets_that_are_none(charset: str) -> None:
    """The caller names the charset of an extended parameter (RFC 2231): not every name, nor every byte, is text."""
    extended = f"*={charset}''%FF-+2AA-".encode()
    with pytest.raises(NotMultipart):
        await read(form(Field("a", b"1")).replace(b'="a"', extended))
    with pytest.raises(NotMultipart):
        await read(form(Field("a", b"1")), content_type=f"multipart/form-data; boundary{extended.decode()}")


@pytest.mark.parametrize("line", [b"X: " + b"y" * 20_000, b"\r\n".join([b"X: " + b"y" * 1000] * 20)])
async def test_endless_headers_are_refused(line: bytes) -> None:
    """A part's headers are bounded, in one line or in many."""
    body = form(Field("a", b"1")).replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n", 1)
    with pytest.raises(NotMultipart):
        await read(body, [500])
