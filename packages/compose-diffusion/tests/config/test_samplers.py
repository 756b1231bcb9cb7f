import pytest
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError

from compose_diffusion.config.samplers import SamplerOptions


def test_round_trip_through_plain_values():
    options = SamplerOptions(method="reverse-mcmc", kernel="mala", step_law="table", step_table=(0.1, 0.2), clip_x0=1.0)
    assert from_dict(SamplerOptions, to_dict(options)) == options


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"kernel": "hcm"}, "did you mean 'hmc'"),
        ({"method": "anneal"}, "did you mean 'annealed'"),
        ({"step_scale": -1e-3}, "step_scale is -0.001, expected a number above 0"),
        ({"step_scale": float("nan")}, "step_scale is nan"),
        ({"damping": 1.5}, "damping is 1.5, expected a number from 0.0 to 1.0"),
        ({"damping": -0.1}, "damping is -0.1"),
        ({"mass": 0.0}, "mass is 0.0"),
        ({"num_leapfrog": 0}, "num_leapfrog is 0"),
        ({"steps_per_level": -1}, "steps_per_level is -1"),
        ({"last_level": 20, "first_level": 10}, "expected first_level >= last_level"),
        ({"step_table": [0.1]}, "expected entries with 'table'"),
        ({"step_law": "table"}, "step_table of 0 entries"),
        ({"step_law": "table", "step_table": [0.1, 0.0]}, r"step_table\[1\] is 0.0"),
        ({"clip_x0": 0.0}, "clip_x0 is 0.0"),
        ({"line_points": 1}, "line_points is 1"),
        ({"ess_threshold": 1.5}, "ess_threshold is 1.5, expected a number from 0.0 to 1.0"),
        ({"method": "fkc", "clip_x0": 1.0}, "clip_x0 is 1.0 with method 'fkc', expected none"),
        ({"method": "fk"}, "did you mean 'fkc'"),
    ],
)
def test_bad_values_give_one_line(values, expected):
    with pytest.raises(UsageError, match=expected) as error:
        from_dict(SamplerOptions, values)
    assert "\n" not in str(error.value)
