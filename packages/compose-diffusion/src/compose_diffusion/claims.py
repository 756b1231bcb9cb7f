"""The claims ledger: what the paper says, how it is measured here, and the rule of each verdict."""

from onepaper.claims import Above, AllOf, Below, Claim, Greater, Increasing, Ordered, Within

_TOY = "compose_diffusion.toy.experiments"
_DIGITS = "compose_diffusion.digits.experiments"
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
        id="C10",
        place="Section 6, ImageNet experiment",
        statement="At the same guidance scale, MCMC improves classifier guidance of an unconditional model.",
        paper="Table 3 (its numbers are not at hand)",
        measure=f"{_DIGITS}:guided_digits",
        seeds=5,
        assets=("weights/digits/denoiser/model.safetensors", "weights/digits/classifier/model.safetensors"),
        rule=AllOf(
            Greater("accuracy, reverse + ULA", "accuracy, reverse"),
            Greater("Frechet distance, reverse", "Frechet distance, reverse + ULA", margin=-0.02),
        ),
        note="On 8 x 8 handwritten digits, one kernel. A larger guidance scale raises the accuracy too, for less work.",
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
)
