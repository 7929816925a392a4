"""Channel ids: 128 bits as 26 digits of Crockford base32, left-aligned (sheet pushgo §2.4)."""

from functools import lru_cache

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DIGITS = 26
_SPARE_BITS = 2  # 26 × 5 = 130: the last digit's low two bits are no part of the value
_IGNORED = str.maketrans("", "", " \t\n\r\f\v-")
_VALUES = {digit: value for value, digit in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}


@lru_cache(maxsize=8192)
def canonical(text: str) -> str | None:
    """The 26 upper-case digits of a channel id as anybody may write it; None when it is not one."""
    if not text.isascii() or len(digits := text.translate(_IGNORED).upper()) != _DIGITS:
        return None
    value = 0
    for digit in digits:
        if (bits := _VALUES.get(digit)) is None:
            return None
        value = value << 5 | bits
    return None if value & ((1 << _SPARE_BITS) - 1) else _digits(value)


def encode(value: bytes) -> str:
    """The channel id of 16 bytes."""
    return _digits(int.from_bytes(value) << _SPARE_BITS)


def _digits(value: int) -> str:
    return "".join(_ALPHABET[value >> 5 * place & 31] for place in range(_DIGITS - 1, -1, -1))
