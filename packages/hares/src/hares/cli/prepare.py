"""The verb `prepare`."""

from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import check_writable

from hares.cli.options import PrepareOptions
from hares.data.prompts import PACKAGES, prepare_prompts


def run(call: Invocation) -> None:
    """Write the mini tasks of speech that need Debian packages into a folder for `evaluate --prepared`."""
    options = call.options
    assert isinstance(options, PrepareOptions)
    if options.debian is None:
        raise UsageError(
            f"give --debian FOLDER with extracted packages: apt-get download {' '.join(PACKAGES)}; "
            "then for each, dpkg -x FILE.deb FOLDER"
        )
    if not options.debian.is_dir():
        raise UsageError(f"{options.debian} is not a folder; give the one with the extracted packages")
    if options.dry_run:
        print(f"would read {options.debian} and write {options.folder}")
        return
    check_writable(options.folder, "--folder")
    for name, count in prepare_prompts(options.debian, options.folder).items():
        print(f"{name}: {count} clips")
    print(f"next: onepaper {call.paper.name} evaluate --prepared {options.folder} --tasks mini_languages")
