"""An adaptive binary range coder in integer arithmetic, so that files are the same bytes on every machine.

The arithmetic is that of the LZMA format (Pavlov, LZMA specification): probabilities of 11 bits, a range of 32 bits.
"""

from collections.abc import Callable

_TOP = 1 << 24
_BITS = 11
# A probability moves by 1/16 of its distance to what was seen; files are short, so it is faster than in LZMA.
_SHIFT = 4
_HALF = 1 << (_BITS - 1)
_MASK = 0xFFFFFFFF

Model = list[int]
"""Probabilities of zero, one a context, which coding changes."""


def new_model(contexts: int) -> Model:
    """Even probabilities."""
    return [_HALF] * contexts


class RangeEncoder:
    """Collects bits; `finish` gives the bytes."""

    def __init__(self) -> None:
        self._low, self._range, self._cache, self._pending = 0, _MASK, 0, 1
        self._bytes = bytearray()

    def encode(self, model: Model, context: int, bit: int) -> None:
        """One bit in a context."""
        probability = model[context]
        bound = (self._range >> _BITS) * probability
        if bit:
            self._low += bound
            self._range -= bound
            model[context] = probability - (probability >> _SHIFT)
        else:
            self._range = bound
            model[context] = probability + (((1 << _BITS) - probability) >> _SHIFT)
        while self._range < _TOP:
            self._range = (self._range << 8) & _MASK
            self._shift()

    def _shift(self) -> None:
        # A carry goes through bytes of 255, which are therefore held back.
        if self._low < 0xFF000000 or self._low > _MASK:
            carry = self._low >> 32
            self._bytes.append((self._cache + carry) & 0xFF)
            self._bytes.extend(bytes([(0xFF + carry) & 0xFF]) * (self._pending - 1))
            self._pending, self._cache = 0, (self._low >> 24) & 0xFF
        self._pending += 1
        self._low = (self._low & 0x00FFFFFF) << 8

    def finish(self) -> bytes:
        """All bytes; the encoder cannot be used after it."""
        for _ in range(5):
            self._shift()
        return bytes(self._bytes[1:])  # the first byte is always 0


class RangeDecoder:
    """Reads the bits of `RangeEncoder`; after the end of the bytes it reads zeros."""

    def __init__(self, data: bytes) -> None:
        self._code, self._range, self._next = int.from_bytes(data[:4].ljust(4, b"\0"), "big"), _MASK, iter(data[4:])

    def decode(self, model: Model, context: int) -> int:
        """The next bit in a context."""
        probability = model[context]
        bound = (self._range >> _BITS) * probability
        if self._code < bound:
            self._range, bit = bound, 0
            model[context] = probability + (((1 << _BITS) - probability) >> _SHIFT)
        else:
            self._code -= bound
            self._range, bit = self._range - bound, 1
            model[context] = probability - (probability >> _SHIFT)
        while self._range < _TOP:
            self._range = (self._range << 8) & _MASK
            self._code = ((self._code << 8) | next(self._next, 0)) & _MASK
        return bit


# A coder of one bit: it takes the bit when it encodes, ignores it when it decodes, and returns the bit in both.
BitCoder = Callable[[Model, int, int], int]


def code_number(coder: BitCoder, model: Model, offset: int, bits: int, number: int = 0) -> int:
    """A number of so many bits, highest first, by a binary tree of 2^bits contexts from `offset` on."""
    node = 1
    for position in reversed(range(bits)):
        node = 2 * node + coder(model, offset + node, (number >> position) & 1)
    return node - (1 << bits)
