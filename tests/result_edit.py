#!/usr/bin/env python3
"""Changes fields of a file of results, as an editor would, and mends its checksum unless told not to.

Numbers have the digits that dunlin would write: 0.001, not 1e-3.

result_edit.py IN OUT [--keep-checksum] [PATH=JSON ...]   PATH is seconds.job.least, losses.2; without a value it goes
"""
import json
import re
import sys


def find(value, keys):
    for key in keys:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def checksum(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2 ** 64
    return f"{value:016x}"


def main():
    read, written, *changes = sys.argv[1:]
    mend = "--keep-checksum" not in changes
    root = json.load(open(read), parse_float=lambda text: Number(text))
    kept = root.pop("checksum")
    for change in changes:
        if change == "--keep-checksum":
            continue
        path, equals, value = change.partition("=")
        *keys, last = path.split(".")
        holder = find(root, keys)
        last = int(last) if isinstance(holder, list) else last
        if equals:
            holder[last] = json.loads(value, parse_float=lambda text: Number(text))
        else:
            del holder[last]
    text = re.sub(r'"NUMBER(.*?)"', r"\1", json.dumps(root, separators=(",", ":"), ensure_ascii=False, default=str))
    kept = checksum(text) if mend else kept
    open(written, "w").write(f'{text[:-1]},"checksum":"{kept}"}}\n')


class Number(str):
    """A real number as it was written: its digits stay."""

    def __new__(cls, text):
        return super().__new__(cls, "NUMBER" + text)


main()
