"""Tables hold numbers in full in every form, and what stands in a name is shown, never obeyed."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalejax.core.errors import DataError
from scalejax.core.forms.documents import write_document, yaml_of
from scalejax.core.table import Note, Table, formatted, number, percent, span

EVIL = [
    "a|b",
    "x\ny",
    "$\\input{/etc/passwd}$",
    "<script>alert(1)</script>",
    "^{2}~_",
    "`rm`",
    "[x](http://y)",
    "\x1b[31mred",
    "# 50 % & more",
    "*b*",
]
NAMES = st.one_of(st.sampled_from(EVIL), st.text(max_size=12))


@given(st.lists(NAMES, min_size=3, max_size=3))
def test_names_are_inert_in_every_form(names):
    table = Table([names[0], "value"], [[names[1], number(1.5)], ["plain", number(2.5)]], notes=[names[2]])
    text = table.text().split("\n")
    assert len(text) == 4 and not any(ord(c) < 32 or ord(c) == 127 for line in text for c in line)
    rows = table.markdown().split("\n")
    assert len(rows) == 6 and all(len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 3 for row in (rows[0], *rows[2:4]))
    assert not re.search(r"<[a-z/!]", table.markdown()) and "](" not in table.markdown()
    assert not re.search(r"(?<!\\)(?:\\\\)*[$`]", table.markdown())
    lines = table.latex().split("\n")
    assert len(lines) == 8
    for line in (lines[2], *lines[4:6]):
        bare = re.sub(r"\\(textbackslash|textasciicircum|textasciitilde|textless|textgreater|textbar|textquotedbl|ldots)\{\}", "", line)
        bare = re.sub(r"\$(\\[a-z]+|-|\^2)\$", "", bare)
        assert re.fullmatch(r"(?:\\[_%&#${}]|[^\\_%&#${}^~<>|]|(?<= )&(?= ))* \\\\", bare), line
        assert len(re.findall(r"(?<!\\)&", bare)) == 1
    shown = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", table.html(), flags=re.DOTALL)
    assert html.unescape(shown[2]) == names[1] and not re.search("<script|<img", table.html())
    read = list(csv.reader(io.StringIO(table.csv(), newline="")))
    assert read[1][1] == "1.5" and read[1][0].splitlines() == names[1].splitlines()


def test_numbers_are_kept_in_full_and_intervals_become_two_columns():
    third = 1 / 3
    rows = [["a", number(third, 3), span(third, 2e9), formatted(1.23456789e21, ".3g"), percent(0.12345), "4 of 5", "1,234"]]
    rows += [["b", number(np.nan), "—", number(np.inf), "", "", "—"]]
    table = Table(["", "N", "90 %", "compute", "share", "agree", "steps"], rows)
    columns = table.columns()
    assert list(columns) == ["name", "N", "N low 90 %", "N high 90 %", "compute", "share", "agree", "steps"]
    assert columns["N"][0] == third and columns["N high 90 %"][0] == 2e9 and columns["compute"] == [1.23456789e21, np.inf]
    assert columns["share"][0] == 0.12345 and columns["agree"] == ["4 of 5", ""] and columns["steps"][0] == 1234
    assert rows[0][1] == "0.333" and rows[0][3] == "1.23e+21" and rows[0][4] == "12.3 %"
    frame = pytest.importorskip("pandas") and table.to_pandas()
    assert all(frame[name].dtype.kind == "f" for name in ("N", "N low 90 %", "N high 90 %", "compute", "share", "steps"))
    assert table.csv().splitlines()[1].startswith(f"a,{third!r},{third!r},2000000000.0,")
    document = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert document["rows"][1]["N"] is None and document["rows"][1]["compute"] == "Infinity"


def test_long_tables_print_their_ends_and_keep_all_values():
    table = Table(["run", "x"], [[str(i), number(i)] for i in range(50)], notes=[Note("far", "extrapolation")], ends=(3, 1))
    assert table.text().split("\n")[4].strip() == "… 46 more" and len(table.text().split("\n")) == 7
    assert len(table.columns()["x"]) == 50 == len(table.csv().splitlines()) - 1
    assert table.to_dict()["notes"] == [{"code": "extrapolation", "severity": "warning", "message": "far"}]


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8,
))  # fmt: skip
def test_yaml_reads_back(value):
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(yaml_of(value)) == value


def test_documents_by_their_endings(tmp_path):
    weights = {"web": 0.75, "code": 1e-05}
    columns = {"domain": list(weights), "weight": list(weights.values())}
    for name in ("m.json", "m.yaml", "m.csv"):
        assert write_document(tmp_path / name, weights, columns) == tmp_path / name
    assert json.loads((tmp_path / "m.json").read_text()) == weights
    assert (tmp_path / "m.yaml").read_text() == '"web": 0.75\n"code": 1.0e-05\n'
    assert (tmp_path / "m.csv").read_text() == "domain,weight\nweb,0.75\ncode,1e-05\n"
    with pytest.raises(DataError, match=r"ending '\.xml'"):
        write_document(tmp_path / "m.xml", weights, columns)
