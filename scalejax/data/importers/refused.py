"""Kinds of files that are known and not read, each with what to do instead."""

from __future__ import annotations

from functools import partial
from typing import NoReturn

from ...core.errors import DataError
from ...core.saved import is_signed
from .content import Content, Format
from .packed import ZIP, members


def _raise(content: Content, kind: str, advice: str) -> NoReturn:
    raise DataError(f"{content.path} is {kind}; {advice}.")


def _starts(content: Content, magic: tuple[bytes, ...]) -> bool:
    return bool(magic) and content.data.startswith(magic)


def _holds(content: Content, part: str) -> bool:
    return content.data.startswith(ZIP) and any(part in name for name in members(content))


def _refused(kind: str, advice: str, suffixes: tuple[str, ...], *magic: bytes) -> Format:
    return Format("", suffixes, partial(_starts, magic=magic), partial(_raise, kind=kind, advice=advice))


_EXCEL = "save the sheet as .csv or .parquet, or pass pandas.read_excel(path)"
_ASK = "for what it knows use `scalejax report` or `scalejax predict`, or sj.{}(path), and give the table that it was fitted to here"

FORMATS = (
    Format(
        "", (), lambda content: is_signed(content.data),
        partial(_raise, kind="a saved fit, not a table of runs", advice=_ASK.format("load_fit")),
    ),
    Format(
        "", (), partial(_holds, part="posterior.json"),
        partial(_raise, kind="a saved posterior, not a table of runs", advice=_ASK.format("load_posterior")),
    ),
    Format("", (".ods",), partial(_holds, part="content.xml"), partial(_raise, kind="an OpenDocument sheet (.ods)", advice=_EXCEL)),
    Format(
        "", (".pt", ".pth", ".ckpt"),
        partial(_holds, part="data.pkl"),
        partial(_raise, kind="a PyTorch checkpoint", advice="give the table of losses that was logged beside it"),
    ),
    _refused("an Excel workbook (.xls)", _EXCEL, (".xls",), b"\xd0\xcf\x11\xe0"),
    _refused(
        "a pickle (.pkl), which can run code when it is opened",
        "open it yourself with pandas.read_pickle(path), if you trust it, and pass the dataframe",
        (".pkl", ".pickle"), *(b"\x80" + bytes([protocol]) for protocol in range(2, 6)),
    ),
    _refused("an HDF5 file (.h5)", "pass pandas.read_hdf(path, key)", (".h5", ".hdf5"), b"\x89HDF"),
    _refused(
        "an HTML page", "pass pandas.read_html(path)[0], or save its table as .csv", (".html", ".htm"), b"<!DOCTYPE", b"<!doctype", b"<html"
    ),
    _refused("a PDF", "save its table as .csv", (".pdf",), b"%PDF"),
)  # fmt: skip
