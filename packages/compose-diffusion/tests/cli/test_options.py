import pytest
from onepaper.config import from_dict
from onepaper.errors import UsageError

from compose_diffusion.cli.options import EvaluateOptions, SampleOptions, TrainOptions


@pytest.mark.parametrize(
    ("make", "reported"),
    [
        (lambda: TrainOptions(max_minutes=-1.0), "max_minutes is -1.0"),
        (lambda: SampleOptions(all_of=(12,)), "digit 12 does not exist, expected a number from 0 to 9"),
        (lambda: SampleOptions(none_of=(-1,)), "digit -1 does not exist"),
        (lambda: SampleOptions(all_of=(3,), none_of=(3,)), "both in --all-of and in --none-of"),
        (lambda: SampleOptions(all_of=(3, 3)), "--all-of names digit 3 twice"),
        (lambda: SampleOptions(count=0), "count is 0"),
        (lambda: SampleOptions(steps_per_level=-1), "steps_per_level is -1"),
        (lambda: SampleOptions(guidance=0.0), "guidance is 0.0"),
        (lambda: SampleOptions(step_scale=-0.1), "step_scale is -0.1"),
        (lambda: from_dict(SampleOptions, {"sampler": "ulla"}), "did you mean 'ula'"),
        (lambda: SampleOptions(sampler="reverse", ancestral=False), "choose a kernel"),
        (lambda: SampleOptions(line_points=1), "line_points is 1"),
        (lambda: EvaluateOptions(seeds=()), "seeds are []"),
        (lambda: EvaluateOptions(seeds=(1, 1)), "each once"),
        (lambda: EvaluateOptions(seeds=(-1,)), "seeds is -1"),
        (lambda: SampleOptions(batch_size=0), "batch_size is 0"),
        (lambda: SampleOptions(num_levels=0), "num_levels is 0"),
        (lambda: SampleOptions(first_level=-1), "first_level is -1"),
        (lambda: SampleOptions(last_level=-1), "last_level is -1"),
        (lambda: SampleOptions(seed=-1), "seed is -1"),
        (lambda: SampleOptions(sampler="fkc", ancestral=False), "--sampler fkc with --no-ancestral"),
        (lambda: SampleOptions(leaf=("mine=folder",)), "write the expression first"),
        (
            lambda: SampleOptions(expression="digits[3]", all_of=(3,)),
            "--all-of was given with the expression 'digits[3]'",
        ),
        (lambda: SampleOptions(expression="digits[3]", guidance=3.0), "--guidance was given with the expression"),
    ],
)
def test_wrong_values_give_one_line(make, reported):
    with pytest.raises(UsageError) as caught:
        make()
    assert reported in str(caught.value)
    assert "\n" not in str(caught.value)
