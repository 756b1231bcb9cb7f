"""The verb `verify`: every closed form against an independent computation, as a table of errors."""

import importlib.util

import jax
from onepaper import progress
from onepaper.errors import OnePaperError
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from simplex_cir.experiments.closed_forms import CHECKS, DIGITS
from simplex_cir.experiments.derivatives import DERIVATIVES


def verify_verb(call: Invocation) -> int:
    """Print a line for each check and write `verification.json`.

    Raises:
        OnePaperError: an error exceeds its bound.
    """
    use_device(call.options)
    known = importlib.util.find_spec("mpmath") is not None
    checks = (*CHECKS, *((*DIGITS, *DERIVATIVES) if known else ()))
    if call.options.dry_run:
        print(f"would make {len(checks)} checks")
        return 0
    with jax.enable_x64(True):
        errors = [check.error() for check in progress.track(checks, "checks", unit="check")]
    with call.open_run() as run:
        run.write_json(
            "verification.json",
            [
                {"what": check.what, "against": check.against, "error": error, "bound": check.bound}
                for check, error in zip(checks, errors, strict=True)
            ],
        )
    print(f"{'closed form':<36}{'against':<32}{'error':>10}{'bound':>9}")
    failed = [check.what for check, error in zip(checks, errors, strict=True) if not error <= check.bound]
    for check, error in zip(checks, errors, strict=True):
        mark = "" if error <= check.bound else "  too large"
        print(f"{check.what:<36}{check.against:<32}{error:>10.1e}{check.bound:>9.0e}{mark}")
    if not known:
        print("errors in ulp and of derivatives are omitted: they need mpmath (pip install mpmath)")
    if failed:
        raise OnePaperError(f"{len(failed)} of {len(checks)} closed forms exceed their bounds: {', '.join(failed)}")
    print(f"all {len(checks)} closed forms hold")
    return 0
