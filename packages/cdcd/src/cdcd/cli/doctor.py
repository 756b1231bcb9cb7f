"""The verb `doctor`: noise levels that embeddings and vocabularies of given sizes need."""

from onepaper.errors import UsageError
from onepaper.paper import Invocation

from cdcd.cli.options import DoctorOptions
from cdcd.diffusion.noise_range import check_range, noise_range


def doctor_verb(call: Invocation) -> None:
    """The verb `doctor`: a table, and an error for a range that a row refuses."""
    options: DoctorOptions = call.options
    if options.dry_run:
        print(f"would compute the noise levels of {len(options.embed_dim) * len(options.vocab_size)} combinations")
        return
    print("loss of the best classifier of independent tokens with random embeddings; trained models are below it")
    print(f"{'d':>6}{'V':>8}{'t_min':>9}{'half':>9}{'t_max':>9}")
    refused = []
    for vocab_size in options.vocab_size:
        for embed_dim in options.embed_dim:
            levels = noise_range(embed_dim, vocab_size, seed=options.seed)
            problem = check_range(levels, options.t_min, options.t_max)
            print(f"{embed_dim:>6}{vocab_size:>8}" + "".join(f"{level:>9.3g}" for level in levels) + f"  {problem}")
            refused += [f"d={embed_dim}, V={vocab_size}: {problem}"] if problem else []
    if refused:
        raise UsageError("; ".join(refused))
