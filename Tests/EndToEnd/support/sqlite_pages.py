"""The pages of a closed SQLite file (https://www.sqlite.org/fileformat2.html), edited byte by byte. No trigger, constraint
or index takes part."""

import struct

TABLE_INTERIOR, INDEX_INTERIOR, TABLE_LEAF, INDEX_LEAF = 5, 2, 13, 10


def varint(number):
    """A positive number in SQLite's encoding, for up to 28 bits."""
    groups = [number & 0x7F]
    while number > 0x7F:
        number >>= 7
        groups.append(0x80 | number & 0x7F)
    return bytes(reversed(groups))


def read_varint(data, place):
    """The number there, and the place behind it."""
    number = 0
    for count in range(9):
        byte = data[place + count]
        if count == 8:
            return number << 8 | byte, place + 9
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, place + count + 1
    raise AssertionError


class File:
    """All pages, in memory; `write` puts them back."""

    def __init__(self, service):
        self.service = service
        self.data = bytearray(service.database.read_bytes())
        self.size = struct.unpack_from(">H", self.data, 16)[0]

    def write(self):
        self.service.database.write_bytes(self.data)

    def root(self, name):
        """The root page of a table or index."""
        return self.page(self.service.sql("SELECT rootpage FROM sqlite_schema WHERE name = ?", name)[0][0])

    def page(self, number):
        return Page(self, number)


class Page:
    def __init__(self, file, number):
        self.file, self.number = file, number
        self.start = (number - 1) * file.size
        self.header = self.start + (100 if number == 1 else 0)

    @property
    def kind(self):
        return self.file.data[self.header]

    @property
    def is_interior(self):
        return self.kind in (TABLE_INTERIOR, INDEX_INTERIOR)

    @property
    def _pointers(self):
        return self.header + (12 if self.is_interior else 8)

    @property
    def count(self):
        return struct.unpack_from(">H", self.file.data, self.header + 3)[0]

    def cell(self, index):
        """Where a cell begins."""
        return self.start + struct.unpack_from(">H", self.file.data, self._pointers + 2 * index)[0]

    def swap_cells(self, one, other):
        first, second = self._pointers + 2 * one, self._pointers + 2 * other
        data = self.file.data
        data[first:first + 2], data[second:second + 2] = data[second:second + 2], data[first:first + 2]

    def child(self, index):
        """The page under a cell; behind the last cell, the rightmost one."""
        place = self.cell(index) if index < self.count else self.header + 8
        return self.file.page(struct.unpack_from(">I", self.file.data, place)[0])

    def key(self, index):
        """A table's key in a cell, and where it stands."""
        place = self.cell(index) + 4 if self.is_interior else read_varint(self.file.data, self.cell(index))[1]
        return read_varint(self.file.data, place)[0], place

    def set_key(self, index, key):
        """Another key in as many bytes."""
        old, place = self.key(index)
        new = varint(key)
        assert len(new) == len(varint(old)), (old, key)
        self.file.data[place:place + len(new)] = new

    def last_leaf(self):
        page = self
        while page.is_interior:
            page = page.child(page.count)
        return page


def leaves(page):
    """All leaf pages under a page, in their order."""
    if not page.is_interior:
        return [page]
    return [leaf for index in range(page.count + 1) for leaf in leaves(page.child(index))]
