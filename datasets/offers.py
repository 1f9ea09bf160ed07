"""What can be downloaded of a data set: its files, their addresses, and the terms of use."""

from __future__ import annotations

from dataclasses import dataclass

from d2m.errors import D2MError


@dataclass(frozen=True)
class Part:
    """One file of a data set.

    Attributes:
        name: what it is called here.
        url: where from.
        into: folder, or for a single file its name, in the data set's folder. ``"."`` is that folder itself.
        size: about how many bytes, as its makers say; 0 where they do not.
        packed: whether it is an archive.
        needed: whether it is downloaded unless other parts are asked for.
        sha256: its checksum, where one is published.
    """

    name: str
    url: str
    into: str
    size: int = 0
    packed: bool = True
    needed: bool = True
    sha256: str | None = None


@dataclass(frozen=True)
class Offer:
    """What ``d2m data download`` gets.

    Attributes:
        name, title: what it is called.
        licence: its licence or terms in a few words.
        terms: where they can be read.
        agree: whether they must be agreed to.
        home: the makers' page.
        parts: its files.
        views: whether there are videos besides, listed at :data:`d2m.datasets.catalogue.VIDEO_LIST`.
        note: what else to know.
    """

    name: str
    title: str
    licence: str
    terms: str
    agree: bool
    home: str
    parts: tuple[Part, ...] = ()
    views: bool = False
    note: str = ""

    def chosen(self, names: list[str] | None) -> list[Part]:
        """Return the parts to download.

        Args:
            names: names of parts, ``["all"]``, or None for the required ones.

        Raises:
            D2MError: for a name that is not there.
        """
        if not names:
            return [part for part in self.parts if part.needed]
        if names == ["all"]:
            return list(self.parts)
        known = {part.name: part for part in self.parts}
        for name in names:
            if name not in known:
                raise D2MError(f"{self.name} has no part '{name}'; choose all or of {', '.join(known)}")
        return [known[name] for name in dict.fromkeys(names)]
