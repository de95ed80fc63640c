"""A key to look for: every way it may be spelled, and every place it may hide in."""

import base64
import html
import re
import sqlite3
import zlib
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote

# No prefix that is known for keys: only its value can give it away.
KEY = "CANARY+7/Zq~9.Kx-31_hunter2=end"
CUT = 12
"""So many letters of the key in a row are too many."""


def spellings(key=KEY):
    """Return the ways in which a host may give a key back, by name."""
    raw = key.encode()
    shifted = {
        f"base64 at {n}": base64.b64encode(b"x" * n + raw + b"yz").decode()
        for n in range(3)
    }
    return {
        "plain": key,
        "header": f"Bearer {key}",
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "base64": base64.b64encode(raw).decode(),
        "base64 bare": base64.b64encode(raw).decode().rstrip("="),
        "base64 url": base64.urlsafe_b64encode(raw).decode(),
        **shifted,
        "url": quote(key, safe=""),
        "url low": re.sub("%..", lambda found: found[0].lower(), quote(key, safe="")),
        "json": key.replace("/", "\\/"),
        "lower": key.lower(),
    }


def disguises(key=KEY):
    """Return ways to give a key back a character at a time, by name.

    None has a quotation mark or a line end: each may stand in a JSON text as it is.
    """
    raw = key.encode()
    folded = base64.b64encode(b"user:" + raw).decode()
    return {
        "percent": "".join(f"%{byte:02X}" for byte in raw),
        "escapes": "".join(f"\\u{byte:04x}" for byte in raw),
        "escapes twice": "".join(f"\\\\u{byte:04x}" for byte in raw),
        "entities": "".join(f"&#{byte};" for byte in raw),
        "colon hex": raw.hex(":"),
        "spaced hex": " ".join(f"0x{byte:02X}" for byte in raw),
        "base64 folded": "\\n".join(folded[at : at + 16] for at in range(0, 48, 16)),
        "spaced": " ".join(key),
    }


def plainly(data):
    """Return some bytes as each disguise would have them read, one after the other."""
    text = data.decode("latin-1")
    decoded = unquote(html.unescape(text), encoding="latin-1")
    decoded = re.sub(
        r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), decoded
    )
    close = re.sub(r"\s|\\+n", "", decoded)
    dumped = re.sub(r"0x|[:\s]", "", text).lower()
    return "\n".join([decoded, close, dumped]).encode("utf-8", "replace")


def needles(key=KEY):
    """Return bytes that no output may hold."""
    whole = spellings(key).values()
    # What stands in the middle of a spelling is the key's own.
    middles = {each[8:-8] if len(each) > 40 else each[4:-4] for each in whole}
    parts = {key[at : at + CUT] for at in range(len(key) - CUT)}
    return {each.encode() for each in middles | parts}


NEEDLES = needles()


def leaks(data):
    """Return what of the key is in some bytes or text, in any disguise."""
    data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    data += plainly(data)
    return sorted(needle for needle in NEEDLES if needle in data)


def inflated(data):
    """Return a file's bytes with all that is deflated in them, and a PDF's words.

    PDF writes a word as pieces with the gaps between letters in between.
    """
    found = [data]
    for start in re.finditer(rb"stream\r?\n|IDAT|zTXt|iTXt", data):
        try:
            found.append(zlib.decompressobj().decompress(data[start.end() :]))
        except zlib.error:
            continue
    words = [
        b"".join(re.findall(rb"\(((?:\\.|[^\\()])*)\)", line))
        for text in found
        for line in re.findall(rb"\[([^\]]*)\]\s*TJ", text)
    ]
    return b"\n".join([*found, *words])


def in_folder(folder: Path, seen=None, look=inflated):
    """Return what of the key is in any file below a folder, by its name.

    The names of files that are not empty are added to `seen`.
    """
    found = {}
    for path in folder.rglob("*"):
        try:
            data = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # a write-ahead log that was just checkpointed
            continue
        if data and seen is not None:
            seen.add(path.name)
        if there := leaks(look(data)) or leaks(path.name):
            found[path.name] = there
    return found


def in_cells(db: Path):
    """Return the columns of a database in which any of the key is."""
    return {name for name, cells in columns(db).items() if leaks(cells)}


def columns(db: Path):
    """Return the texts of each column of a database, one after the other."""
    found = defaultdict(list)
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as conn:
        for table in ("runs", "requests", "checks"):
            cursor = conn.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            for line in cursor:
                for name, cell in zip(names, line, strict=True):
                    if isinstance(cell, str | bytes):
                        raw = cell if isinstance(cell, bytes) else cell.encode()
                        found[name].append(raw)
    return {name: b"\n\0".join(cells) for name, cells in found.items()}
