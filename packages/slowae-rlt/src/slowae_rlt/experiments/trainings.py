"""Claims that compare trainings: weights of the penalty, target rates, penalties, channels and levels."""

from dataclasses import replace

from onepaper.claims import ClaimContext, Evidence, Measurement

from slowae_rlt.config import ExperimentConfig
from slowae_rlt.data.recordings import load_recordings
from slowae_rlt.presets import PRESETS
from slowae_rlt.training import crop_context, evaluate_held_out, held_out_crops, train

BASE: ExperimentConfig = PRESETS["laptop"].config

# Five weights over three decades, without a target; the last one is a collapse.
FIXED_WEIGHTS = (0.01, 0.1, 1.0, 3.0, 10.0)
TARGETS = (25.0, 50.0, 75.0, 100.0)
PENALTIES = ("group", "l1", "l2", "l4")
SIZES = ((1, 7), (4, 1), (4, 7))


def _with_controller(config: ExperimentConfig, **changes: float) -> ExperimentConfig:
    controller = replace(config.slowness.controller, **changes)
    return replace(config, slowness=replace(config.slowness, controller=controller))


def _measure(
    context: ClaimContext,
    configs: dict[str, ExperimentConfig],
    quantities: tuple[str, ...] = ("reconstruction", "event_rate"),
) -> dict[str, Measurement]:
    """Held-out quantities of each configuration by "QUANTITY, NAME"."""

    def result(config: ExperimentConfig, seed: int) -> dict[str, float]:
        model = train(config, seed=seed)
        recordings = load_recordings(config.data, config.model.sample_rate)["test"]
        return evaluate_held_out(model, held_out_crops(config, recordings, crop_context(model)))

    rows = {
        name: {
            seed: context.arm(arm, seed, lambda config=config, seed=seed: result(config, seed))
            for seed in context.seeds
        }
        for name, config in configs.items()
        # The preset itself is an arm of several claims: it is trained once.
        for arm in ["training laptop" if config == BASE else f"training {name}"]
    }
    return {
        f"{quantity.replace('_', ' ')}, {name}": Measurement.over_seeds(
            f"{quantity.replace('_', ' ')}, {name}", {seed: row[quantity] for seed, row in by_seed.items()}
        )
        for name, by_seed in rows.items()
        for quantity in quantities
    }


def fixed_weights(context: ClaimContext) -> Evidence:
    """Event rate and error by the weight of the penalty."""
    configs = {
        f"weight {weight:g}": _with_controller(BASE, target_rate=0.0, initial=weight) for weight in FIXED_WEIGHTS
    }
    return Evidence("", list(_measure(context, configs).values()))


def target_rates(context: ClaimContext) -> Evidence:
    """Held-out event rates and errors by the target of the controller."""
    configs = {f"target {target:g}": _with_controller(BASE, target_rate=target) for target in TARGETS}
    return Evidence("", list(_measure(context, configs).values()))


def penalties(context: ClaimContext) -> Evidence:
    """Errors of the four penalties at one target rate."""
    configs = {name: replace(BASE, slowness=replace(BASE.slowness, penalty=name)) for name in PENALTIES}
    return Evidence("", list(_measure(context, configs).values()))


def sizes(context: ClaimContext) -> Evidence:
    """Errors by channels and levels at one target rate."""
    configs = {}
    for channels, levels in SIZES:
        quantizer = replace(BASE.model.quantizer, channels=channels, levels=levels)
        name = f"{channels} channels, k={levels}"
        configs[name] = replace(BASE, model=replace(BASE.model, quantizer=quantizer))
    return Evidence("", list(_measure(context, configs).values()))
