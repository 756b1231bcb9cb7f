"""The claims of the paper, how each is measured, and the rule of its verdict."""

from onepaper.claims import Above, AllOf, Below, Claim, Greater, Increasing, Ordered, Within

_TOY = "compose_diffusion.experiments.exact_toy"
_DIGITS = "compose_diffusion.experiments.digits"
_LEARNED = "compose_diffusion.experiments.learned_toy"
_CORRECTORS = "compose_diffusion.experiments.correctors"
_REUSE = "compose_diffusion.experiments.reuse"
_POSITIONS = "compose_diffusion.experiments.positions"
_LANGEVIN = ("0.1s^2", "0.3s^2", "0.6s^2", "1s^2")
_HAMILTONIAN = ("0.3s", "0.6s", "0.9s")
# Rows of the reference table (an independent implementation), best first, with their accuracy.
_REFERENCE = (
    ("reverse + ULA", 0.952),
    ("reverse + HMC", 0.922),
    ("HMC", 0.891),
    ("U-HMC", 0.873),
    ("ULA", 0.821),
    ("MALA", 0.719),
    ("reverse", 0.640),
)

_REUSED_FILES = tuple(
    f"assets/weights/reuse/{name}/{file}"
    for name in ("shape", "thick")
    for file in (
        "unet/diffusion_pytorch_model.safetensors",
        "unet/config.json",
        "scheduler/scheduler_config.json",
    )
)

_POSITION_FILES = tuple(f"assets/weights/positions/{form}/model.safetensors" for form in ("score", "energy"))
_DIGIT_FILES = tuple(f"assets/weights/digits/{network}/model.safetensors" for network in ("denoiser", "classifier"))


def _closer(*names: str) -> tuple[Greater, ...]:
    """Each sampler is closer to the exact distribution than the reverse process."""
    return tuple(Greater("reverse total variation", f"{name} total variation") for name in names)


def _ranking(share: str) -> AllOf:
    """The paper's order of samplers."""
    return AllOf(
        Greater(f"HMC {share}", f"U-HMC {share}", margin=-0.02),
        Greater(f"U-HMC {share}", f"ULA {share}"),
        Greater(f"ULA {share}", f"reverse {share}"),
        Greater(f"MALA {share}", f"reverse {share}"),
    )


CLAIMS = (
    Claim(
        id="C1",
        place="paper: failure of the reverse process",
        statement="Summing the scores of two models and running the reverse process samples the wrong distribution.",
        paper="Table 1: not available to us",
        measure=f"{_TOY}:reverse_on_a_product",
        seeds=5,
        rule=AllOf(
            Below("reverse accuracy", 0.75),
            Above("true samples accuracy", 0.98),
            Greater("reverse total variation", "true samples total variation", margin=0.1),
        ),
        note=(
            "Exact noised scores, no network. Accuracy: fraction of samples within 3 standard deviations of a mode. "
            "Total variation: to the product itself, on cells of one standard deviation."
        ),
    ),
    Claim(
        id="C2",
        place="paper: annealed MCMC, Algorithm 1",
        statement="MCMC at each noise level corrects this, and more MCMC steps correct it better.",
        paper="-",
        measure=f"{_TOY}:mcmc_on_a_product",
        seeds=5,
        rule=AllOf(
            *(Greater(f"{name} accuracy", "reverse accuracy") for name in ("ULA", "MALA", "U-HMC", "HMC")),
            *(Greater(f"reverse + {name} accuracy", "reverse accuracy") for name in ("ULA", "HMC")),
            *(Increasing(tuple(f"{row} accuracy, K={k}" for k in (1, 3, 10, 30))) for row in ("ULA", "reverse + ULA")),
            *_closer("ULA", "MALA", "U-HMC", "HMC", "reverse + ULA", "reverse + HMC"),
        ),
    ),
    Claim(
        id="C3",
        place="paper: abstract",
        statement="The failure is due to the sampler, not the model: with the same scores another sampler is correct.",
        paper="-",
        measure=f"{_TOY}:sampler_not_model",
        seeds=5,
        rule=AllOf(
            Below("reverse accuracy", 0.75),
            Above("reverse + ULA accuracy", 0.97),
            *(
                rule
                for name in ("reverse + ULA", "reverse + HMC")
                for rule in (Below(f"{name} above floor", 0.02), Within(f"{name} mode variance ratio", 1.0, 0.05))
            ),
        ),
        note=(
            "0.97 is the accuracy of true samples, 0.995, less 0.025; the scores are exact in all rows. Above floor: "
            "total variation to the product less that of as many true samples."
        ),
    ),
    Claim(
        id="C4",
        place="paper: Metropolis correction",
        statement="At equal step size the Metropolis test removes the bias of the unadjusted kernels.",
        paper="-",
        measure=f"{_TOY}:metropolis_once_mixed",
        seeds=5,
        rule=AllOf(
            *(Within(f"MALA variance, h={step}", 1.0, 0.05) for step in _LANGEVIN),
            *(Within(f"HMC variance, h={step}", 1.0, 0.05) for step in _HAMILTONIAN),
            Increasing(tuple(f"ULA variance, h={step}" for step in _LANGEVIN)),
            Increasing(tuple(f"U-HMC variance, h={step}" for step in _HAMILTONIAN)),
            Above("ULA variance, h=1s^2", 1.5),
        ),
        note=(
            "For chains that have mixed. X4 is an annealed run with chains that have not mixed, where it does not help."
        ),
    ),
    Claim(
        id="C5",
        place="paper: section 4.2",
        statement="Energies train almost as well as scores.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:energies_train_like_scores",
        rule=AllOf(Below("loss, energy / score", 1.05), Greater("ELBO, energy", "ELBO, score", margin=-0.1)),
        note=(
            "Six distributions, equal numbers of training steps. Margins: 5% of the loss, 0.05 nats for each of "
            "the two axes."
        ),
    ),
    Claim(
        id="C6",
        place="paper: section 4.2",
        statement="Energies allow mixtures and negations, which scores alone do not.",
        paper="-",
        measure=f"{_TOY}:energies_of_mixtures_and_negations",
        seeds=5,
        rule=AllOf(
            Within("mixture, inside the bars", 1.0, 0.02),
            Within("mixture, left bar", 0.5, 0.03),
            Below("negation, error of the mean", 0.06),
            Within("negation, variance ratio", 1.0, 0.05),
            Below("mixture, total variation above floor", 0.02),
            Below("negation, total variation above floor", 0.02),
        ),
        note="Exact densities: a mixture of two bars, and one Gaussian negated by another, both known in closed form.",
    ),
    Claim(
        id="C7",
        place="paper: section 4.2",
        statement="Of three energy forms, the squared distance to the input trains best.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:three_energy_forms",
        rule=AllOf(Greater("excess loss, l2", "excess loss, dae"), Greater("excess loss, dot", "excess loss, dae")),
        note="Held-out loss minus that of the exact prediction, mean of ring and bar.",
    ),
    Claim(
        id="C8a",
        place="paper: 2D experiment, Table 1",
        statement="On a learned product HMC is best, then U-HMC, then ULA; all beat the reverse process.",
        paper="Table 1: not available to us",
        tier="full",
        measure=f"{_LEARNED}:samplers_on_a_learned_product",
        rule=AllOf(
            _ranking("accuracy"),
            Greater("U-HMC total variation", "HMC total variation", margin=-0.02),
            Greater("ULA total variation", "U-HMC total variation"),
            *_closer("ULA", "MALA"),
        ),
    ),
    Claim(
        id="C8b",
        place="paper: 2D experiment, Table 1",
        statement="The same order of samplers holds on a learned mixture.",
        paper="Table 1: not available to us",
        tier="full",
        measure=f"{_LEARNED}:samplers_on_a_learned_mixture",
        rule=_ranking("inside"),
        note=(
            "A noised mixture is the mixture of the noised densities, so with exact energies the reverse process "
            "is correct."
        ),
    ),
    Claim(
        id="C8c",
        place="paper: 2D experiment, Table 1",
        statement="The same order of samplers holds on a learned negation.",
        paper="Table 1: not available to us",
        tier="full",
        measure=f"{_LEARNED}:samplers_on_a_learned_negation",
        rule=_ranking("inside"),
        note=(
            "Fraction inside the big box and outside the small one. Exact noised boxes have no mass there near level 0."
        ),
    ),
    Claim(
        id="C9",
        place="paper: CLEVR experiment, Table 2",
        statement=(
            "The accuracy of composed position models decreases with the number of positions, with MCMC more slowly."
        ),
        paper="Table 2, 5 positions: reverse 57.4%, U-HMC 62.3%, HMC on the energy 72.7%",
        measure=f"{_POSITIONS}:composed_positions",
        seeds=5,
        assets=_POSITION_FILES,
        rule=AllOf(
            Greater("reverse, 1 position", "reverse, 5 positions"),
            Greater("reverse + ULA, 5 positions", "reverse, 5 positions"),
            Greater("gain by ULA, 5 positions", "gain by ULA, 1 position"),
        ),
        note=(
            "Score network, weight 1. Levels with MCMC, step size, number of steps, weight, detector, sample "
            "size and the "
            "first part of the rule were chosen on other seeds, where ULA at every level with a smaller step "
            "size had a "
            "lower accuracy."
        ),
    ),
    Claim(
        id="C9b",
        place="paper: CLEVR experiment, Table 2",
        statement="Energies with HMC compose positions best.",
        paper="Table 2, 5 positions: reverse 57.4%, U-HMC 62.3%, HMC on the energy 72.7%",
        tier="full",
        measure=f"{_POSITIONS}:composed_positions_by_energy",
        assets=_POSITION_FILES,
        rule=AllOf(
            *(
                Greater("energy, reverse + HMC, 5 positions", f"{name}, 5 positions")
                for name in (
                    "reverse",
                    "reverse + ULA",
                    "reverse + U-HMC",
                    "energy, reverse",
                    "energy, reverse + ULA",
                    "energy, reverse + MALA",
                    "energy, reverse + U-HMC",
                )
            )
        ),
        note="The shipped energy is the weaker model: with a single position it satisfies 62% by the reverse "
        "process, the "
        "score network 99%. It was trained once, for the steps of the preset, and not tuned.",
    ),
    Claim(
        id="C10",
        place="paper: ImageNet experiment, Table 3",
        statement="At the same guidance scale, MCMC improves classifier guidance of an unconditional model.",
        paper="Table 3, ImageNet 128: reverse 18.64%, U-HMC on the score 89.93%, HMC on the energy 94.61%",
        measure=f"{_DIGITS}:guided_digits",
        seeds=5,
        assets=_DIGIT_FILES,
        rule=AllOf(
            Greater("accuracy, reverse + ULA", "accuracy, reverse"),
            Greater("Frechet distance, reverse", "Frechet distance, reverse + ULA", margin=-0.02),
        ),
        note=(
            "On 8 x 8 handwritten digits, one kernel. A larger guidance scale also raises the accuracy, at a "
            "lower cost."
        ),
    ),
    Claim(
        id="C11",
        place="paper: text-to-image experiment",
        statement="Tapestries, many models in different regions of one canvas, improve with MCMC.",
        paper="pictures only",
        measure=f"{_POSITIONS}:digit_tapestries",
        seeds=5,
        assets=_DIGIT_FILES,
        rule=Greater("regional accuracy, reverse + ULA", "regional accuracy, reverse"),
        note=(
            "Digits on one canvas. Overlap and step size were chosen on other seeds; MCMC takes more "
            "evaluations. The rule "
            "is about averaged predictions; for products of the regions' densities the gain is uncertain."
        ),
    ),
    Claim(
        id="C12",
        place="paper: introduction",
        statement="Separately trained models are composed without fine-tuning, and MCMC improves their composition.",
        paper="-",
        measure=f"{_REUSE}:reused_models",
        seeds=5,
        assets=_REUSED_FILES,
        rule=AllOf(
            *(
                Greater("both attributes, A & B, reverse + ULA", f"both attributes, {other}")
                for other in ("A & B, reverse", "A (digits 3, 5, 8)", "B (thick strokes)")
            )
        ),
        note="Settings were chosen on other seeds. MCMC takes about twice the evaluations, as do twice the levels.",
    ),
    Claim(
        id="C12b",
        place="paper: introduction",
        statement="Separately trained networks, of positions and of classes, are composed without fine-tuning.",
        paper="-",
        measure=f"{_POSITIONS}:what_and_where",
        assets=_POSITION_FILES + _DIGIT_FILES,
        rule=AllOf(
            Above("right digits, both, reverse + ULA", 0.5),
            Greater("right digits, both, reverse + ULA", "right digits, places alone, reverse + ULA"),
        ),
        note=(
            "A claim about reuse, not about samplers: reverse steps alone are as accurate. Weights were chosen "
            "on other seeds."
        ),
    ),
    Claim(
        id="X1",
        place="our own",
        statement="The official toy with fixed open choices has the same accuracies as an independent implementation.",
        paper="-",
        measure=f"{_TOY}:reference_table",
        seeds=8,
        rule=AllOf(
            Within("true samples accuracy", 0.995, 0.03),
            *(Within(f"{name} accuracy", accuracy, 0.03) for name, accuracy in _REFERENCE),
        ),
        note="The reference is one seed of 2,000 samples in float64.",
    ),
    Claim(
        id="X2",
        place="our own",
        statement="The samplers of the official toy have the same order as in that implementation.",
        paper="-",
        measure=f"{_TOY}:reference_table",
        seeds=8,
        rule=Ordered(tuple(f"{name} accuracy" for name, _ in _REFERENCE)),
    ),
    Claim(
        id="X3",
        place="our own",
        statement="In closed form: for two equal Gaussians the reverse process ends with a variance that is too small.",
        paper="-",
        measure=f"{_TOY}:two_gaussians",
        rule=AllOf(Below("reverse variance, beta", 0.1), Below("reverse variance, posterior", 0.1)),
        note="Leaves N(0, 0.25): the product has variance 0.125.",
    ),
    Claim(
        id="X4",
        place="our own",
        statement="In the annealed run with the official constant steps, MALA is less accurate than ULA.",
        paper="-",
        measure=f"{_TOY}:metropolis_in_the_annealed_run",
        seeds=5,
        rule=Greater("ULA accuracy", "MALA accuracy"),
        note=(
            "Chains with many rejections at the last levels do not reach a mode; the Metropolis test helps once "
            "chains mix."
        ),
    ),
    Claim(
        id="X5",
        place="our own",
        statement="Samples of an energy distilled from a score are as accurate as those of one trained directly.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:distilled_energies",
        rule=Greater("HMC accuracy, distilled", "HMC accuracy, direct", margin=-0.03),
    ),
    Claim(
        id="X6",
        place="our own",
        statement="On the nine-task suite HMC improves products; mixtures are correct with the reverse process.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:nine_tasks",
        rule=AllOf(
            Greater("products, HMC", "products, reverse"),
            Greater("mixtures, reverse", "mixtures, HMC", margin=-0.05),
        ),
        note="Support accuracy over the seven tasks that are not empty. The rule is about products and mixtures; on "
        "negations the accuracy of all samplers is below 10%, which was not investigated.",
    ),
    Claim(
        id="X7",
        place="our own",
        statement=(
            "The weighted particles of the Feynman-Kac corrector follow the product, the reverse process does not."
        ),
        paper="-",
        measure=f"{_CORRECTORS}:corrector_on_a_product",
        seeds=5,
        rule=AllOf(
            Below("reverse accuracy", 0.75),
            Above("FKC, N=2000 accuracy", 0.97),
            Greater("reverse MMD^2", "FKC, N=2000 MMD^2"),
        ),
        note="The same exact scores, no MCMC steps. 0.97 is the accuracy of true samples, 0.995, less 0.025.",
    ),
    Claim(
        id="X8",
        place="our own",
        statement=(
            "On an elongated product preconditioned HMC corrects a variance that the same number of plain steps "
            "does not."
        ),
        paper="-",
        measure=f"{_CORRECTORS}:preconditioning_a_steep_product",
        seeds=5,
        rule=AllOf(
            Within("preconditioned HMC, long", 1.0, 0.05),
            Within("preconditioned HMC, thin", 1.0, 0.05),
            Greater("plain HMC, error", "preconditioned HMC, error", margin=0.1),
        ),
        note=(
            "20 steps at the lowest level after the reverse process; coordinates from a pilot run, at additional cost."
        ),
    ),
)
