"""The verb `fairness`: tables of perceived attributes from labels of pictures."""

from onepaper.paper import Invocation

from imagen3.cli.options import FairnessOptions
from imagen3.cli.tables import report_tables
from imagen3.responsibility.fairness import fairness_table, homogeneity_table, profession_table, read_labels


def fairness_verb(call: Invocation) -> None:
    """Print the tables and write `tables.json` and a CSV file of each into the run folder."""
    options = call.options
    assert isinstance(options, FairnessOptions)
    if options.dry_run:
        print(f"would make the tables of {options.labels}")
        return
    files = [file for file in (options.labels, options.compare) if file is not None]
    systems = {str(file): read_labels(file) for file in files}
    if options.professions:
        tables = {"Professions": profession_table(systems)}
    else:
        tables = {"Fairness": fairness_table(systems), "Homogeneity": homogeneity_table(systems)}
    report_tables(call, tables)
