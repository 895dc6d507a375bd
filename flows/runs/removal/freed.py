"""What a clean-up removes, or would remove, of each kind: files and their bytes."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tasks.storage import places
from tasks.storage.places import Entry


@dataclass
class Freed:
    """A count of what is removed; where `dry`, nothing is.

    A file with several names takes room until its last name is gone, so that its bytes count with that one.
    """

    dry: bool
    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    _names: dict[tuple[int, int], int] = field(default_factory=dict)

    def remove(self, kind: str, entry: Entry) -> None:
        """Remove a file. One that is gone already is no error."""
        self.files[kind] += 1
        self.bytes[kind] += entry.bytes if self._is_last_name(entry) else 0
        if not self.dry:
            places.remove(entry.place)

    def remove_folder(self, kind: str, folder: Path) -> None:
        """Remove a folder with all that is in it, file by file, the folders themselves last."""
        for entry in places.entries(str(folder)):
            self.remove(kind, entry)
        if not self.dry:
            remove_empty(folder)

    def _is_last_name(self, entry: Entry) -> bool:
        if entry.inode is None:
            return True
        left = self._names.get(entry.inode, entry.names) - 1
        if self.dry:
            self._names[entry.inode] = left
        return left <= 0


def remove_empty(folder: Path) -> None:
    """Remove the folders below a folder that hold nothing, and the folder itself where it does not either."""
    for name, _, _ in os.walk(folder, topdown=False):
        if not any(Path(name).iterdir()):
            Path(name).rmdir()
