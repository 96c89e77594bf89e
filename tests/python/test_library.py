"""The prototypes of the package are those of the header, function by function."""

import ctypes
import os
import pathlib
import re

import dunlin
from dunlin import _library

HEADER = pathlib.Path(os.environ["DUNLIN_SOURCE"]) / "include/dunlin.h"
SIZES = {"size_t": 8, "uint64_t": 8, "double": 8, "const char *": 8}


def declared():
    """Name, result and arguments of every function of the header."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    for result, name, arguments in re.findall(
        r"^DUNLIN_API (.*?)(dunlin_\w+)\((.*?)\);", text, flags=re.DOTALL | re.MULTILINE
    ):
        words = [" ".join(a.split()) for a in arguments.split(",")]
        yield name, result.strip(), [] if words == ["void"] else words


def kind_of(argument):
    """What ctypes must have for it: a size, or a pointer."""
    if "*" in argument or "_fn" in argument:
        return "pointer"
    return {"size_t": "c_ulong", "int": "c_int", "dunlin_pool": "c_int"}[argument.rsplit(" ", 1)[0]]


def test_every_function_is_there_with_its_arguments():
    found = {name: (result, arguments) for name, result, arguments in declared()}
    assert 20 <= len(found) <= 32
    assert sorted(found) == sorted(_library.PROTOTYPES)
    for name, (result, arguments) in found.items():
        ours, types = _library.PROTOTYPES[name]
        kinds = ["pointer" if t not in (ctypes.c_size_t, ctypes.c_int) else t.__name__ for t in types]
        assert kinds == [kind_of(a) for a in arguments], name
        assert (ours is ...) == (result == "dunlin_status"), name
        assert (ours is None) == (result == "void"), name


def test_the_progress_has_the_members_of_the_header():
    body = re.search(r"typedef struct \{([^}]*)\} dunlin_progress;", HEADER.read_text()).group(1)
    members = re.findall(r"(\w+);", re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL))
    assert members == [name for name, _ in _library.Progress._fields_]


def test_devices_are_asked_for_where_the_header_says_so():
    text = " ".join(HEADER.read_text().replace("\n *", " ").split())
    listed = re.search(r"process that had called one of (.*?), every call", text).group(1)
    assert _library.OPENS_DEVICE == set(re.findall(r"dunlin_\w+", listed))


def test_version():
    number = int(re.search(r"#define DUNLIN_VERSION (\d+)", HEADER.read_text()).group(1))
    assert dunlin.__version__ == f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    assert _library._load().dunlin_version() == number
