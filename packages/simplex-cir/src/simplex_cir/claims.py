"""The claims ledger: what the note says, how it is measured here, and the rule of each verdict."""

from onepaper.claims import Above, AllOf, Below, Claim, Greater, HolmNotRejected, Increasing, Within

_HERE = "simplex_cir.experiments"
_LEARNED = "simplex_cir.learned_experiments"
_ALPHAS = (("sparse", 3), ("even", 3), ("large", 3))
_RATES = ("0.1", "1", "10")
_PRIORS = ("n=2", "n=4", "n=27")

CLAIMS = (
    Claim(
        id="C1",
        place="Section 2.1, eq. 2",
        statement="Independent Gamma variables of one rate, divided by their sum, are Dirichlet, whatever the rate.",
        paper="-",
        measure=f"{_HERE}:dirichlet_from_gammas",
        rule=HolmNotRejected(
            tuple(
                f"{name} alpha, rate {rate}, {what}"
                for name, n in _ALPHAS
                for rate in _RATES
                for what in (*(f"coordinate {i}" for i in range(n)), "independence of the sum")
            )
        ),
        note="Draws are float64: in a first run in float32 shares of the sparse law rounded to exactly 1 and were "
        "rejected.",
    ),
    Claim(
        id="C2",
        place="Section 2.2",
        statement="The CIR process stays non-negative, tends to a Gamma law, and nears 0 below the Feller bound only.",
        paper="-",
        measure=f"{_HERE}:stationary_law",
        rule=AllOf(
            HolmNotRejected(tuple(f"a={a}, {what}" for a in ("0.25", "1", "2") for what in ("law", "negative values"))),
            Above("a=0.25, share below 1e-6", 0.01),
            Below("a=1, share below 1e-6", 0.001),
            Below("a=2, share below 1e-6", 0.001),
        ),
        note="Exact share below 1e-6: about (1e-6)^a / Gamma(a + 1).",
    ),
    Claim(
        id="C3",
        place="Eq. 4",
        statement="With sigma^2 = 2b the stationary law is Gamma(a, 1).",
        paper="-",
        measure=f"{_HERE}:stationary_law",
        rule=HolmNotRejected(tuple(f"a={a}, law" for a in ("0.25", "1", "2"))),
    ),
    Claim(
        id="C4",
        place="Eqs. 5 and 6",
        statement="Conditional mean and variance have closed forms (two misprints corrected).",
        paper="-",
        measure=f"{_HERE}:moments",
        seeds=5,
        rule=Below("root mean square error, standard errors", 1.5),
        note="Were the formulas off, the error would grow with the number of draws; exact ones give 1 on average.",
    ),
    Claim(
        id="C5",
        place="Eqs. 7 and 8",
        statement="The transition law is a scaled noncentral chi-squared, with a Bessel function in its density.",
        paper="-",
        measure=f"{_HERE}:transition_law",
        rule=AllOf(
            Below("largest relative error of the log density", 1e-10),
            HolmNotRejected(("draws from 0, a=0.4", "draws from 1, a=1", "draws from 3, a=2.5")),
        ),
    ),
    Claim(
        id="C6",
        place="Eqs. 9 and 10",
        statement="The normalised vector converges to the Dirichlet law.",
        paper="-",
        measure=f"{_HERE}:convergence_to_dirichlet",
        seeds=5,
        rule=Within("rate of decay", 1.0, 0.15),
        note="The slowest mode decays as exp(-b t). The fit starts at b t = 2.5, where the next, exp(-2 b t), is about "
        "a tenth of it; from 1 to 3, tried first, it came out as 1.147.",
    ),
    Claim(
        id="C7",
        place="Eqs. 11 to 13",
        statement="The time-reversed process, with the exact score, returns the distribution of the tokens.",
        paper="-",
        measure=f"{_HERE}:reverse_of_time",
        seeds=5,
        rule=AllOf(*(Below(f"{name}, 256 steps, excess total variation", 0.005) for name in _PRIORS)),
        note="Above the total variation that as many exact samples have. Drift-implicit scheme.",
    ),
    Claim(
        id="C8",
        place="Eq. 14",
        statement="Denoising score matching, weighted by the vector, bounds the likelihood.",
        paper="-",
        measure=f"{_HERE}:bound_is_the_entropy",
        seeds=5,
        rule=AllOf(
            *(
                Within(f"{name}, bound less entropy", 0.0, 0.01)
                for name in ("uniform, n=4", "skewed, n=4", "n=27", "chain of 8")
            )
        ),
        note="With the exact posterior the bound is tight: it equals the entropy of the prior. Nats a position, and "
        "50,000 tokens for n=27: a first run counted the chain as a whole and was too noisy at n=27 to settle it.",
    ),
    Claim(
        id="C9",
        place="Eqs. 15 to 17",
        statement="The probability-flow ODE has the same marginals, and its log form avoids instability.",
        paper="-",
        measure=f"{_HERE}:flow_of_probability",
        seeds=5,
        rule=AllOf(
            HolmNotRejected(tuple(f"flow {way}, coordinate {i}" for way in ("up", "down") for i in range(4))),
            Greater("Euler failures, plain", "Euler failures, log form"),
        ),
        note="Towards the tokens a plain Euler step keeps vectors positive when a = 1, as (c - 1) h < 1 for any h; it "
        "can only fail towards noise. The failures were first counted towards the tokens alone, where there are none.",
    ),
    Claim(
        id="C10",
        place="Section 2.3, remarks on simulation",
        statement="Euler's method needs a floor under its square root, else paths are lost.",
        paper="-",
        measure=f"{_HERE}:floor_of_euler",
        seeds=5,
        rule=AllOf(
            *(
                Greater(f"a={a}, h=0.1, lost paths, bare", f"a={a}, h=0.1, lost paths, floored", margin=0.01)
                for a in ("0.5", "1", "2")
            )
        ),
    ),
    Claim(
        id="C11",
        place="Section 2.3, remarks on simulation",
        statement="A CIR process is a sum of squared Ornstein-Uhlenbeck processes where twice its shape is an integer.",
        paper="-",
        measure=f"{_HERE}:squares_of_ornstein_uhlenbeck",
        rule=HolmNotRejected(tuple(f"d={d}" for d in (1, 2, 3, 8))),
    ),
    Claim(
        id="C12",
        place="Section 2.3, limitations",
        statement="For many categories the rank of the true token in a noisy vector is extremely heavy-tailed.",
        paper="-",
        measure=f"{_HERE}:heavy_tail_of_the_rank",
        seeds=5,
        rule=AllOf(
            Above("99.9% quantile over mean", 50.0),
            Below("median rank", 1.5),
            Within("mean rank by simulation", 1.7264, 0.05),
        ),
        note="1.7264 is 1 + (n - 1) exp(-m/2) / 2 at n=32,000 and m=20; the whole law is one integral (`rank-law`).",
    ),
    Claim(
        id="C13",
        place="Eq. 18",
        statement="The noisy vector is not itself a posterior over tokens; the posterior is non-linear in it.",
        paper="-",
        measure=f"{_HERE}:vector_is_no_posterior",
        seeds=5,
        rule=AllOf(Above("divergence of the vector from the posterior", 0.1), Above("same most probable token", 0.999)),
    ),
    Claim(
        id="X1",
        place="our own",
        statement="Ancestral sampling by exact bridges is exact for any number of steps, one included.",
        paper="-",
        measure=f"{_HERE}:exact_for_any_number_of_steps",
        rule=HolmNotRejected(tuple(f"{name}, {steps} steps" for name in _PRIORS for steps in (1, 2, 8, 32))),
    ),
    Claim(
        id="C14",
        place="Section 3",
        statement="Usable for deep generative modelling, which the note announces as future work.",
        paper="-",
        measure=f"{_LEARNED}:learned_models",
        assets=tuple(f"weights/{name}/model.safetensors" for name in ("splice", "letters", "digits", "sudoku4")),
        rule=AllOf(
            Below("splice: bound less entropy", 0.15),
            Above("splice: share of the gap closed", 0.7),
            Greater("letters: bigrams", "letters: bound"),
            Greater("digits: independent pixels", "digits: bound"),
            Above("sudoku: valid grids", 0.95),
            Below("sudoku: excess total variation", 0.05),
        ),
        note="On the shipped weights and test sequences: human splice sites against the entropy of all occurrences, "
        "where the gap is that of independent positions; letters of a book; binarised digits; the 288 grids of 4 x 4. "
        "Counting models are fitted on the training part.",
    ),
    Claim(
        id="X10",
        place="our own",
        statement="Clamped positions are filled in by the conditional law of the data.",
        paper="-",
        measure=f"{_LEARNED}:infilling",
        assets=("weights/splice/model.safetensors",),
        rule=AllOf(
            Below("excess total variation, exact posterior", 0.05),
            Below("excess total variation, network", 0.15),
            Greater("excess total variation, independent positions", "excess total variation, network"),
        ),
        note="Splice sites, of which the law of all occurrences gives the truth; means over three patterns of known "
        "positions. The exact posterior of that law shows what the sampler alone does.",
    ),
    Claim(
        id="X11",
        place="our own",
        statement="Drawing positions in parallel costs validity, less with more steps; the network is not what costs.",
        paper="-",
        measure=f"{_LEARNED}:steps_and_validity",
        assets=("weights/sudoku4/model.safetensors",),
        rule=AllOf(
            Increasing(tuple(f"valid grids, {steps} steps" for steps in (1, 4, 16, 64))),
            Greater("valid grids, 64 steps", "valid grids, 64 steps, exact", margin=-0.05),
        ),
        note="4 x 4 Sudoku, beside the exact posterior of the 288 grids, which has the sampler's error alone.",
    ),
    Claim(
        id="X12",
        place="our own",
        statement="Guidance makes digits more surely of the class that is asked for.",
        paper="-",
        measure=f"{_LEARNED}:guided_digits",
        assets=("weights/digits/model.safetensors",),
        rule=Greater("right class, w=1", "right class, w=0"),
        note="Judged by a support vector machine that learnt from the validation and test parts.",
    ),
    Claim(
        id="X13",
        place="our own",
        statement="A lower temperature draws text with more true words.",
        paper="-",
        measure=f"{_LEARNED}:temperature_of_text",
        assets=("weights/letters/model.safetensors",),
        rule=Increasing(tuple(f"words of the book, T={temperature}" for temperature in ("1.4", "1", "0.7"))),
    ),
    Claim(
        id="X14",
        place="our own",
        statement="Training on the bound itself gives a better bound than the cross-entropy at even log SNRs.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:losses_compared",
        rule=Greater("nothing hidden", "nothing hidden, bound as loss"),
    ),
    Claim(
        id="X15",
        place="our own",
        statement="The exact evidence in the network improves the bound.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:evidence_compared",
        rule=Greater("nothing hidden, no evidence", "nothing hidden"),
    ),
    Claim(
        id="X16",
        place="our own",
        statement="Hiding a part of the positions in training improves the bound, where nothing is hidden.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:hiding_compared",
        rule=Greater("nothing hidden", "as shipped"),
    ),
    Claim(
        id="X17",
        place="our own",
        statement="Simplex diffusion models splice sites as well as masked discrete diffusion, within 0.05 nats.",
        paper="-",
        tier="full",
        measure=f"{_LEARNED}:masked_compared",
        rule=Greater("masked diffusion", "as shipped", margin=-0.05),
        note="The same transformer, data, optimiser and number of steps. Both numbers are upper bounds.",
    ),
)
