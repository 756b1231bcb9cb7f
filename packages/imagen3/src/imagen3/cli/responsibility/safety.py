"""The verb `safety`: rates of violations beside those of refusals, from records of requests."""

from onepaper.paper import Invocation

from imagen3.cli.options import SafetyOptions
from imagen3.cli.tables import report_tables
from imagen3.responsibility.safety import compare, read_records, safety_table


def safety_verb(call: Invocation) -> None:
    """Print the tables and write `tables.json` and a CSV file of each into the run folder."""
    options = call.options
    assert isinstance(options, SafetyOptions)
    if options.dry_run:
        print(f"would make the report of {options.records}")
        return
    records = read_records(options.records)
    tables = {"Safety": safety_table(records)}
    if options.compare is not None:
        others = read_records(options.compare)
        found = compare(records, others)
        tables["Safety of the other"] = safety_table(others)
        tables["Same requests"] = [
            ("requests", "only the first violates", "only the other", "p (McNemar, exact)"),
            (*(f"{count:,}" for count in found[:3]), f"{found.p_value:.3g}"),
        ]
    report_tables(call, tables)
