"""Reading the file that W&B writes offline: a LevelDB log of protocol buffers behind a header of 7 bytes."""

import json
import time
from pathlib import Path
from typing import Any

HEADER, BLOCK, RECORD = 7, 32768, 7  # bytes: of the file's header, of a block, and of a record's header


def read_records(file: Path) -> list[Any]:
    """Return the records of a `.wandb` file, which another process may still be writing."""
    for _ in range(100):
        records = parse(file)
        if any(record.WhichOneof("record_type") == "exit" for record in records):
            break
        time.sleep(0.05)
    return records


def parse(file: Path) -> list[Any]:
    """Return the records written so far."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, position, parts, records = file.read_bytes(), HEADER, b"", []
    while position + RECORD <= len(content):
        left = BLOCK - position % BLOCK
        if left < RECORD:  # no room for another header in this block
            position += left
            continue
        length, kind = int.from_bytes(content[position + 4 : position + 6], "little"), content[position + 6]
        if position + RECORD + length > len(content):  # the rest is still being written
            break
        parts += content[position + RECORD : position + RECORD + length]
        position += RECORD + length
        if kind in (1, 4):  # the whole of a record, or its last part
            records.append(Record.FromString(parts))
            parts = b""
    return records


def items(records: list[Any], kind: str) -> list[dict[str, Any]]:
    """Return the keys and values of each record of a kind, `history` or `config`."""
    found = [getattr(record, kind) for record in records if record.WhichOneof("record_type") == kind]
    fields = [entry.item if kind == "history" else entry.update for entry in found]
    return [{i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in field} for field in fields]
