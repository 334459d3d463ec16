"""History and samples as tables on disk: CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from xdplab.core.checks import place, shown
from xdplab.core.errors import ConfigurationError
from xdplab.core.files import Saved, place_of, whole_file
from xdplab.native.records import (
    COUNTERS,
    ELEMENTS,
    SAMPLE_DEVICE_TIME,
    SAMPLE_HASH,
    SAMPLE_PROGRAM_TIME,
    VERDICTS,
    Records,
)
from xdplab.telemetry.pcapng import write_pcapng

if TYPE_CHECKING:
    from xdplab.telemetry.region import Telemetry

Column = npt.NDArray[Any] | list[str] | list[bytes]
Table = dict[str, Column]
"""Columns of one length; a masked array where not every row has a value."""

_SAMPLE_FIELDS = ("time_ns", "frame", "sent_ns", "length", "captured", "queue")


def save_history(
    path: str | os.PathLike[str], telemetry: Telemetry, records: Mapping[int, Records]
) -> Saved:
    """Save records of `Telemetry.history`, by worker, as `Telemetry.save_history` says."""
    write = _writer(path)
    table = _concatenated(
        history_table(worker, some, telemetry) for worker, some in records.items()
    )
    return _save(path, write, table, "records")


def save_samples(
    path: str | os.PathLike[str], telemetry: Telemetry, samples: Mapping[int, Records]
) -> Saved:
    """Save records of `Telemetry.samples`, by worker, as `Telemetry.save_samples` says."""
    if _ending(path) == ".pcapng":
        return write_pcapng(path, telemetry, samples)
    write = _writer(path, ".pcapng")
    table = _concatenated(sample_table(worker, some, telemetry) for worker, some in samples.items())
    return _save(path, write, table, "frames")


def history_table(worker: int, records: Records, telemetry: Telemetry) -> Table:
    """Return the columns that `Telemetry.save_history` describes, of one worker."""
    table = _beginning(worker, records, telemetry)
    for name in COUNTERS.names or ():
        if COUNTERS[name].shape:
            elements = ELEMENTS.get(name) or map(str, range(COUNTERS[name].shape[0]))
            for number, element in enumerate(elements):
                table[f"{name}_{element}"] = records[name][:, number]
        else:
            table[name] = records[name]
    return table


def sample_table(worker: int, samples: Records, telemetry: Telemetry) -> Table:
    """Return the columns that `Telemetry.save_samples` describes, of one worker."""
    flags = samples["flags"]
    table = _beginning(worker, samples, telemetry)
    table |= {name: samples[name] for name in _SAMPLE_FIELDS}
    table["sent_ns"] = _where(samples["sent_ns"] != 0, samples["sent_ns"])
    table["verdict"] = [VERDICTS[verdict] for verdict in samples["verdict"]]
    for name in ("hash", "hash_type"):
        table[name] = _where(flags & SAMPLE_HASH, samples[name])
    table["device_time_ns"] = _where(flags & SAMPLE_DEVICE_TIME, samples["device_time_ns"])
    table["program_time_ns"] = _where(flags & SAMPLE_PROGRAM_TIME, samples["device_time_ns"])
    table["bytes"] = [
        kept[:captured].tobytes()
        for kept, captured in zip(samples["bytes"], samples["captured"], strict=True)
    ]
    return table


def _beginning(worker: int, records: Records, telemetry: Telemetry) -> Table:
    return {
        "worker": np.full(len(records), worker, np.uint32),
        "realtime_ns": records["time_ns"].astype(np.int64) + telemetry.realtime_offset_ns,
        "simulated": np.full(len(records), telemetry.header["simulated"]),
    }


def _where(known: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ma.masked_array(values, mask=known == 0)


def _concatenated(tables: Iterable[Table]) -> Table:
    whole, *others = tables
    for other in others:
        for name, column in whole.items():
            if isinstance(column, np.ndarray):
                whole[name] = np.ma.concatenate(  # type: ignore[no-untyped-call]
                    [column, other[name]]
                )
            else:
                column.extend(other[name])  # type: ignore[arg-type]
    return whole


def _ending(path: str | os.PathLike[str]) -> str:
    return place("path", path).suffix.lower()


def _writer(path: str | os.PathLike[str], *others: str) -> Callable[[BinaryIO, Table], None]:
    """Return the function that writes a table to files of this ending, or reject the ending."""
    ending = _ending(path)
    if ending not in _WRITERS:
        known = ", ".join([*others, *_WRITERS])
        raise ConfigurationError(
            f"can't save as path={shown(os.fspath(path))}: its name must end in {known}"
        )
    if ending == ".parquet":
        _require_pyarrow(path)
    return _WRITERS[ending]


def _save(
    path: str | os.PathLike[str],
    write: Callable[[BinaryIO, Table], None],
    table: Table,
    what: str,
) -> Saved:
    target = place_of(path)
    replaced = target.exists()
    with whole_file(target) as file:
        write(file, table)
    return Saved(target, len(table["worker"]), what, replaced)


def _write_csv(file: BinaryIO, table: Table) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(table)
    rows.writerows(zip(*map(_cells, table.values()), strict=True))
    text.detach()  # or it closes the file


def _cells(column: Column) -> list[Any]:
    if isinstance(column, np.ndarray):
        cells: list[Any] = column.tolist()  # None where masked, which csv leaves empty
        return cells
    return [cell.hex() if isinstance(cell, bytes) else cell for cell in column]


def _require_pyarrow(path: str | os.PathLike[str]) -> None:
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 - slow, and not everyone's
    except ImportError as error:
        raise ConfigurationError(
            f"can't save as {os.fspath(path)!r}: Parquet needs pyarrow, which can't be "
            f"imported ({error}). `pip install pyarrow`, or save as .csv."
        ) from error


def _write_parquet(file: BinaryIO, table: Table) -> None:
    import pyarrow  # noqa: PLC0415 - slow, and not everyone's
    from pyarrow import parquet  # noqa: PLC0415

    columns = {name: _arrow(name, column) for name, column in table.items()}
    parquet.write_table(pyarrow.table(columns), file)


def _arrow(name: str, column: Column) -> Any:
    import pyarrow  # noqa: PLC0415

    if isinstance(column, np.ma.MaskedArray):
        return pyarrow.array(column.data, mask=np.ma.getmaskarray(column))
    if isinstance(column, np.ndarray):
        return pyarrow.array(column)
    return pyarrow.array(column, pyarrow.binary() if name == "bytes" else pyarrow.string())


_WRITERS: dict[str, Callable[[BinaryIO, Table], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
