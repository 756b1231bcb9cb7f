import math

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.diffusion import cosine_schedule, linear_schedule
from compose_diffusion.pretrained.matching import (
    TrainedLevels,
    flow_schedule,
    match_levels,
    schedule_of_signal,
)

# Data N(MEAN, VARIANCE) in every coordinate: every prediction is known in closed form.
MEAN, VARIANCE = 0.3, 0.25


def posterior(z, signal, noise):
    """E[x0 | z] and E[eps | z] of z = signal * x0 + noise * eps."""
    total = signal**2 * VARIANCE + noise**2
    clean = MEAN + signal * VARIANCE / total * (z - signal * MEAN)
    return clean, noise / total * (z - signal * MEAN)


def read(reading, network, x, t):
    z = reading.input_scale[t] * x
    return reading.output_weight[t] * network(z, reading.times[t]) + reading.x_weight[t] * x


def exact_noise(x, t, schedule):
    alpha_bar = float(schedule.alphas_cumprod[t])
    return posterior(x, math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar))[1]


@pytest.mark.parametrize("schedule", [cosine_schedule(50), linear_schedule(1000)])
def test_a_flow_network_gives_the_exact_noise_at_any_levels(schedule, generator):
    def velocity(z, time):
        s = time / 1000
        clean, noise = posterior(z, 1 - s, s)
        return noise - clean

    x = torch.randn(64, generator=generator, dtype=torch.float64)
    reading = match_levels(TrainedLevels("flow", schedule, None, 1000), schedule)
    for t in (0, 7, len(schedule) // 2, len(schedule) - 1):
        torch.testing.assert_close(read(reading, velocity, x, t), exact_noise(x, t, schedule), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_networks_of_discrete_times_are_read_as_what_they_predict(prediction, generator):
    own = cosine_schedule(200)

    def network(z, time):
        alpha_bar = float(own.alphas_cumprod[int(time)])
        clean, noise = posterior(z, math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar))
        return {"eps": noise, "x0": clean, "v": math.sqrt(alpha_bar) * noise - math.sqrt(1 - alpha_bar) * clean}[
            prediction
        ]

    x = torch.randn(64, generator=generator, dtype=torch.float64)
    trained = TrainedLevels(prediction, own, own, 200)
    reading = match_levels(trained, own, "exact")
    assert reading.times == tuple(range(200))
    for t in (0, 50, 150, 199):
        torch.testing.assert_close(read(reading, network, x, t), exact_noise(x, t, own), rtol=1e-7, atol=1e-7)
    # On another schedule the levels of nearest signal-to-noise ratio are off by half a step at most.
    other = linear_schedule(1000).respace(40)
    reading = match_levels(trained, other)
    for t in (5, 20, 39):
        gap = abs(float(own.log_snr[int(reading.times[t])] - other.log_snr[t]))
        assert gap == min(abs(float(level - other.log_snr[t])) for level in own.log_snr)
        assert (read(reading, network, x, t) - exact_noise(x, t, other)).abs().max() < gap + 1e-6


def test_exact_levels_are_insisted_on_where_asked_for():
    trained = TrainedLevels("eps", linear_schedule(1000), linear_schedule(1000), 1000)
    assert match_levels(trained, linear_schedule(1000).respace(10), "exact").times[-1] == 999
    with pytest.raises(UsageError, match="trained on 1000 noise levels, of which none has log SNR .* match='snr'"):
        match_levels(trained, cosine_schedule(100), "exact")
    with pytest.raises(UsageError, match="match"):
        match_levels(trained, cosine_schedule(100), "nearest")


def test_flow_times_as_levels():
    times = torch.tensor([0.01, 0.3, 0.5, 1.0])
    schedule = flow_schedule(times)
    torch.testing.assert_close(schedule.log_snr[:3], 2 * torch.log((1 - times[:3].double()) / times[:3].double()))
    assert 0 < float(schedule.alphas_cumprod[3]) <= 2**-24
    for wrong in ([0.0, 0.5], [0.5, 0.4], [0.5, 1.1], []):
        with pytest.raises(UsageError, match="flow times are .* ascending"):
            flow_schedule(torch.tensor(wrong))


def test_a_schedule_that_ends_in_pure_noise_keeps_decreasing():
    schedule = schedule_of_signal(torch.tensor([0.5, 1e-9, 0.0]))
    assert float(schedule.alphas_cumprod[2]) == pytest.approx(0.25e-9)
    assert len(schedule_of_signal(torch.tensor([0.0]))) == 1


def test_predictions_and_levels_that_do_not_belong_together():
    with pytest.raises(UsageError, match="prediction is 'flow' with discrete levels"):
        TrainedLevels("flow", cosine_schedule(5), cosine_schedule(5), 5)
    with pytest.raises(UsageError, match="prediction is 'eps' without discrete levels"):
        TrainedLevels("eps", cosine_schedule(5), None, 5)
