"""The verb `data`: the catalogue, and checks, cards and preparation of copies."""

import json
import os
from pathlib import Path

from onepaper.config import to_dict
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from audio_datasets.catalogue.exports import to_croissant, to_csv, to_json
from audio_datasets.catalogue.records import Record, get_record, read_catalogue, search
from audio_datasets.cli.options import DataOptions


def data_verb(call: Invocation) -> int:
    """The verb `data`; 2 where a copy cannot be used."""
    options: DataOptions = call.options
    if options.dry_run:
        print(f"would {options.action} {options.name or 'the catalogue'}")
        return 0
    if options.action in ("list", "export"):
        return _list_or_export(options)
    if options.action == "inspect":
        return _inspect(options)
    if not options.name:
        raise UsageError(f"data {options.action} needs a data set: `data {options.action} NAME`")
    if options.action == "info":
        for name, value in to_dict(get_record(options.name)).items():
            print(f"{name:<12}{'unknown' if value is None else value}")
        return 0
    return {"check": _check, "card": _card, "prepare": _prepare, "convert": _convert}[options.action](options)


def _list_or_export(options: DataOptions) -> int:
    found = search(
        read_catalogue().values(),
        options.name,
        domain=options.domain,
        access=options.access,
        loadable=options.loadable,
    )
    if not found:
        raise UsageError("no data set of the catalogue has these words and filters; search for fewer words")
    if options.action == "list":
        for record in found:
            print(_line(record))
        print(f"{len(found)} of {len(read_catalogue())} data sets; + opened here, * numbers are verified, - unknown")
        return 0
    if options.format == "croissant":
        content = json.dumps([to_croissant(record) for record in found], indent=1, ensure_ascii=False) + "\n"
    else:
        content = to_json(found) if options.format == "json" else to_csv(found)
    if options.output is None:
        print(content, end="")
    else:
        write_atomic(options.output, content)
        print(f"written: {options.output}")
    return 0


def _line(record: Record) -> str:
    marks = ("+" if record.loader else " ") + ("*" if record.verified else " ")
    size = f"{record.hours:,.1f} h" if record.hours else f"{record.clips:,} clips" if record.clips else "-"
    return f"{marks} {record.id:<18}{record.domain:<18}{size:>14}  {record.access or '-':<9}{record.licence or '-'}"


def _record(name: str) -> Record | None:
    """The record that a loader's name belongs to: `hume-vocalburst-type` is a task of `hume-vocalburst`."""
    records = read_catalogue()
    return records.get(name) or next((records[key] for key in records if name.startswith(f"{key}-")), None)


def _check(options: DataOptions) -> int:
    from audio_datasets.checks.copies import check_clips
    from audio_datasets.data.loaders import load

    clips, record = load(options.name, options.root, strict_official=options.strict_official), _record(options.name)
    if options.root is None:
        print(f"{options.name}: the subset that ships with the package; give --root for a copy of the whole set")
    findings = list(check_clips(clips, record, decode=options.decode))
    for finding in findings:
        print(f"  {'unusable' if finding.fatal else 'differs' if finding.differs else 'ok':<9} {finding.text}")
    if any(finding.fatal for finding in findings):
        print("it cannot be used as it is")
        return 2
    return 0


def _card(options: DataOptions) -> int:
    from audio_datasets.cards.card import write_card
    from audio_datasets.data.loaders import load

    clips = load(options.name, options.root)
    path = options.output or Path("runs") / "audio-datasets" / f"card-{options.name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    problems = write_card(path, clips, _record(options.name), players=options.players, seed=options.seed)
    for problem in problems[:3]:
        print(f"skipped: {problem}")
    print(f"{len(clips):,} clips, {len(problems):,} unreadable; {path}")
    return 0


def _prepare(options: DataOptions) -> int:
    from audio_datasets.data.examples.preparation import prepare

    default = Path(os.environ.get("ONEPAPER_DATA", "data"))
    folder = options.output or default / options.name
    count = prepare(options.name, folder, options.root)
    print(f"{count:,} clips in {folder}")
    print(f"next: onepaper audio-datasets data check {options.name} --root {folder}")
    return 0


def _convert(options: DataOptions) -> int:
    from audio_datasets.data.loaders import load

    clips, record = load(options.name, options.root), _record(options.name)
    folder = options.output or Path("runs") / "audio-datasets" / f"{options.library}-{options.name}"
    if options.library == "webdataset":
        from audio_datasets.exports.shards import write_shards

        shards = write_shards(folder, clips, shard_bytes=options.shard_bytes)
        print(f"{len(clips):,} clips in {len(shards):,} shards in {folder}")
        return 0
    if options.library == "datasets":
        from audio_datasets.exports.arrow import write_arrow

        count, reader = write_arrow(folder, clips), f'datasets.load_from_disk("{folder}")'
    elif options.library == "lhotse":
        from audio_datasets.exports.lhotse_sets import RECORDINGS, write_lhotse

        count, reader = write_lhotse(folder, clips), f'lhotse.RecordingSet.from_file("{folder / RECORDINGS}")'
    else:
        from audio_datasets.exports.audformat_tables import write_audformat

        count = write_audformat(folder, clips, record.licence if record else None)
        reader = f'audformat.Database.load("{folder}")'
    print(f"{count:,} clips in {folder}; read by {reader}")
    return 0


def _inspect(options: DataOptions) -> int:
    from audio_datasets.checks.inspection import inspect_tree
    from audio_datasets.data.manifests import COLUMNS_SUFFIX, propose_columns
    from audio_datasets.data.tables import read_table

    if options.root is None:
        raise UsageError("data inspect needs a folder or a CSV: onepaper audio-datasets data inspect --root PATH")
    if options.root.is_file():
        columns = read_table(options.root).columns
        proposed = propose_columns(columns)
        for attribute, column in proposed.items():
            print(f"{attribute:<10}{column}")
        others = [column for column in columns if column not in proposed.values()]
        print(f"{'others':<10}{', '.join(others) or 'none'}")
        path = options.output or options.root.with_name(options.root.stem + COLUMNS_SUFFIX)
        _write_new(path, json.dumps(proposed, indent=1) + "\n")
        print(f"written: {path}, which is read with the CSV; correct it before use")
        return 0
    proposal = inspect_tree(options.root)
    path = options.output or options.root / "manifest.csv"
    _write_new(path, "\n".join(proposal.lines()) + "\n")
    for attribute, level in proposal.roles.items():
        print(f"{attribute:<10}{level}")
    for table, proposed in proposal.tables.items():
        print(f"{table} has {', '.join(f'{name} ({column})' for name, column in proposed.items())}")
    print(f"{len(proposal.files):,} clips; check {path} before use")
    return 0


def _write_new(path: Path, content: str) -> None:
    if path.exists():
        raise UsageError(f"{path} exists already; remove it, or give another --output")
    write_atomic(path, content)
