"""The claims ledger: what the paper says, how it is measured here, and the rule of each verdict."""

from onepaper.claims import Above, AllOf, Below, Claim, Greater, Increasing, Ordered, Within

_TOY = "compose_diffusion.experiments.exact_toy"
_DIGITS = "compose_diffusion.experiments.digits"
_LEARNED = "compose_diffusion.experiments.learned_toy"
_CORRECTORS = "compose_diffusion.experiments.correctors"
_REUSE = "compose_diffusion.experiments.reuse"
_POSITIONS = "compose_diffusion.experiments.positions"
_LANGEVIN = ("0.1s^2", "0.3s^2", "0.6s^2", "1s^2")
_HAMILTONIAN = ("0.3s", "0.6s", "0.9s")
# Rows of the reference table (an independent earlier run), best first, with their accuracy.
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
        place="Sections 3 and 4",
        statement="Summing the scores of two models and running the reverse process samples the wrong distribution.",
        paper="Table 1 (its numbers are not at hand)",
        measure=f"{_TOY}:reverse_on_a_product",
        seeds=5,
        rule=AllOf(Below("reverse accuracy", 0.75), Above("true samples accuracy", 0.98)),
        note="Exact noised scores, no network. Accuracy: share of samples within 3 standard deviations of a mode.",
    ),
    Claim(
        id="C2",
        place="Section 4",
        statement="MCMC at each noise level repairs it, and more steps repair it better.",
        paper="-",
        measure=f"{_TOY}:mcmc_on_a_product",
        seeds=5,
        rule=AllOf(
            *(Greater(f"{name} accuracy", "reverse accuracy") for name in ("ULA", "MALA", "U-HMC", "HMC")),
            *(Greater(f"reverse + {name} accuracy", "reverse accuracy") for name in ("ULA", "HMC")),
            *(Increasing(tuple(f"{row} accuracy, K={k}" for k in (1, 3, 10, 30))) for row in ("ULA", "reverse + ULA")),
        ),
    ),
    Claim(
        id="C3",
        place="Section 4",
        statement="The failure is the sampler's, not the model's: with the same scores another sampler is right.",
        paper="-",
        measure=f"{_TOY}:sampler_not_model",
        seeds=5,
        rule=AllOf(Below("reverse accuracy", 0.75), Above("reverse + ULA accuracy", 0.97)),
        note="0.97 is the accuracy of true samples, 0.995, less 0.025; the scores are exact in both rows.",
    ),
    Claim(
        id="C4",
        place="Sections 4 and 5",
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
        note="For chains that have mixed. X4 shows that it need not help in an annealed run whose chains have not.",
    ),
    Claim(
        id="C5",
        place="Section 5",
        statement="Energies train almost as well as scores.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:energies_train_like_scores",
        rule=AllOf(Below("loss, energy / score", 1.05), Greater("ELBO, energy", "ELBO, score", margin=-0.1)),
        note="Six distributions, equal steps. Margins: 5% of the loss, 0.05 nats for each of the two axes.",
    ),
    Claim(
        id="C6",
        place="Section 5",
        statement="Energies make mixtures and negations possible, which scores alone do not give.",
        paper="-",
        measure=f"{_TOY}:energies_of_mixtures_and_negations",
        seeds=5,
        rule=AllOf(
            Within("mixture, inside the bars", 1.0, 0.02),
            Within("mixture, left bar", 0.5, 0.03),
            Below("negation, error of the mean", 0.06),
            Within("negation, variance ratio", 1.0, 0.05),
        ),
        note="The exact part: a mixture of two bars, and one Gaussian without another, known in closed form.",
    ),
    Claim(
        id="C7",
        place="Section 5",
        statement="Of three energy forms, the squared distance to the input trains best.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:three_energy_forms",
        rule=AllOf(Greater("excess loss, l2", "excess loss, dae"), Greater("excess loss, dot", "excess loss, dae")),
        note="Held-out loss above the exact prediction's, mean of ring and bar.",
    ),
    Claim(
        id="C8a",
        place="Section 6, Table 1",
        statement="On a learned product HMC is best, then U-HMC, then ULA; all beat the reverse process.",
        paper="Table 1 (its numbers are not at hand)",
        tier="full",
        measure=f"{_LEARNED}:samplers_on_a_learned_product",
        rule=_ranking("accuracy"),
    ),
    Claim(
        id="C8b",
        place="Section 6, Table 1",
        statement="The same order on a learned mixture.",
        paper="Table 1 (its numbers are not at hand)",
        tier="full",
        measure=f"{_LEARNED}:samplers_on_a_learned_mixture",
        rule=_ranking("inside"),
        note="Noised mixtures are mixtures of noised densities, so with true energies reverse is right already.",
    ),
    Claim(
        id="C8c",
        place="Section 6, Table 1",
        statement="The same order on a learned negation.",
        paper="Table 1 (its numbers are not at hand)",
        tier="full",
        measure=f"{_LEARNED}:samplers_on_a_learned_negation",
        rule=_ranking("inside"),
        note="Share inside the big box and outside the small one. Exact noised boxes have no mass there near level 0.",
    ),
    Claim(
        id="C9",
        place="Section 6, CLEVR experiment",
        statement="Composing position models, accuracy falls with the number of positions, and MCMC slows the fall.",
        paper="Table 2 (its numbers are not at hand)",
        measure=f"{_POSITIONS}:composed_positions",
        seeds=5,
        assets=_POSITION_FILES,
        rule=AllOf(
            Greater("reverse, 1 position", "reverse, 5 positions"),
            Greater("reverse + ULA, 5 positions", "reverse, 5 positions"),
            Greater("gain by ULA, 5 positions", "gain by ULA, 1 position"),
        ),
        note=(
            "Score network, weight 1. Window, step, moves, weight, judge, sample size and the first part of the rule "
            "were settled on other seeds; ULA at every level with a smaller step lowered the accuracy there."
        ),
    ),
    Claim(
        id="C9b",
        place="Section 6, CLEVR experiment",
        statement="Energies with HMC compose positions best.",
        paper="Table 2 (its numbers are not at hand)",
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
        note="The energy that ships is the weaker model to begin with: one position alone it hits in 62% by reverse, "
        "the score network in 99%. It was trained once, for the steps of the preset, and not tuned.",
    ),
    Claim(
        id="C10",
        place="Section 6, ImageNet experiment",
        statement="At the same guidance scale, MCMC improves classifier guidance of an unconditional model.",
        paper="Table 3 (its numbers are not at hand)",
        measure=f"{_DIGITS}:guided_digits",
        seeds=5,
        assets=_DIGIT_FILES,
        rule=AllOf(
            Greater("accuracy, reverse + ULA", "accuracy, reverse"),
            Greater("Frechet distance, reverse", "Frechet distance, reverse + ULA", margin=-0.02),
        ),
        note="On 8 x 8 handwritten digits, one kernel. A larger guidance scale raises the accuracy too, for less work.",
    ),
    Claim(
        id="C11",
        place="Section 6, text-to-image experiment",
        statement="Tapestries, many models at different places of one canvas, improve with MCMC.",
        paper="pictures only",
        measure=f"{_POSITIONS}:digit_tapestries",
        seeds=5,
        assets=_DIGIT_FILES,
        rule=Greater("regional accuracy, reverse + ULA", "regional accuracy, reverse"),
        note=(
            "Digits on one canvas. Overlap and step were chosen on other seeds; MCMC takes more evaluations. Where the "
            "regions' densities are multiplied instead of their predictions averaged, the gain is not settled."
        ),
    ),
    Claim(
        id="C12",
        place="Section 1",
        statement="Models trained apart are composed without fine-tuning, and MCMC composes them better.",
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
        note="Settings chosen on other seeds. MCMC takes about twice the evaluations; twice the levels do too.",
    ),
    Claim(
        id="C12b",
        place="Section 1",
        statement="Networks trained apart compose without fine-tuning: one knows where, the other what.",
        paper="-",
        measure=f"{_POSITIONS}:what_and_where",
        assets=_POSITION_FILES + _DIGIT_FILES,
        rule=AllOf(
            Above("right digits, both, reverse + ULA", 0.5),
            Greater("right digits, both, reverse + ULA", "right digits, places alone, reverse + ULA"),
        ),
        note="About reuse, not about samplers: reverse steps alone do as well. Weights were chosen on other seeds.",
    ),
    Claim(
        id="X1",
        place="our own",
        statement="The official toy, its open choices pinned, gives the same accuracies as an independent earlier run.",
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
        statement="The samplers of the official toy rank as in that run.",
        paper="-",
        measure=f"{_TOY}:reference_table",
        seeds=8,
        rule=Ordered(tuple(f"{name} accuracy" for name, _ in _REFERENCE)),
    ),
    Claim(
        id="X3",
        place="our own",
        statement="In closed form: for two equal Gaussians the reverse process ends with too small a variance.",
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
        note="Chains that rejections hold back at the last levels stay stuck: the test pays once chains mix.",
    ),
    Claim(
        id="X5",
        place="our own",
        statement="An energy distilled from a score samples as well as one trained directly.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:distilled_energies",
        rule=Greater("HMC accuracy, distilled", "HMC accuracy, direct", margin=-0.03),
    ),
    Claim(
        id="X6",
        place="our own",
        statement="On the nine-task suite HMC mends products; mixtures need no mending.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:nine_tasks",
        rule=AllOf(
            Greater("products, HMC", "products, reverse"),
            Greater("mixtures, reverse", "mixtures, HMC", margin=-0.05),
        ),
        note="Support accuracy over the seven tasks that are not empty. The rule is about products and mixtures; of "
        "the negations no sampler makes more than a few samples right, which was not looked into.",
    ),
    Claim(
        id="X7",
        place="our own",
        statement="The weighted population of the Feynman-Kac corrector follows the product where reverse does not.",
        paper="-",
        measure=f"{_CORRECTORS}:corrector_on_a_product",
        seeds=5,
        rule=AllOf(
            Below("reverse accuracy", 0.75),
            Above("FKC, N=2000 accuracy", 0.97),
            Greater("reverse MMD^2", "FKC, N=2000 MMD^2"),
        ),
        note="The same exact scores, no MCMC moves. 0.97 is the accuracy of true samples, 0.995, less 0.025.",
    ),
    Claim(
        id="X8",
        place="our own",
        statement="On a long, thin product preconditioned HMC mends a variance that as many plain moves leave wrong.",
        paper="-",
        measure=f"{_CORRECTORS}:preconditioning_a_steep_product",
        seeds=5,
        rule=AllOf(
            Within("preconditioned HMC, long", 1.0, 0.05),
            Within("preconditioned HMC, thin", 1.0, 0.05),
            Greater("plain HMC, error", "preconditioned HMC, error", margin=0.1),
        ),
        note="20 moves at the lowest level after the reverse process; coordinates from a pilot run, which costs extra.",
    ),
)
