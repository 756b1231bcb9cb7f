"""The claims ledger: statements of the paper and of this package, their measurements, and rules of the verdicts."""

from onepaper.claims import Above, AllOf, Below, Claim, Greater, HolmNotRejected, Increasing, Ordered, Within

_THEORY = "simplex_cir.experiments.theory"
_IDENTITIES = "simplex_cir.experiments.identities"
_NETWORKS = "simplex_cir.experiments.networks"
_ALPHAS = (("sparse", 3), ("even", 3), ("large", 3))
_RATES = ("0.1", "1", "10")
_PRIORS = ("n=2", "n=4", "n=27")

CLAIMS = (
    Claim(
        id="C1",
        place="paper, section 2.1, eq. 2",
        statement="Independent Gamma variables of one rate, divided by their sum, are Dirichlet for any rate.",
        paper="-",
        measure=f"{_THEORY}:dirichlet_from_gammas",
        rule=HolmNotRejected(
            tuple(
                f"{name} alpha, rate {rate}, {what}"
                for name, n in _ALPHAS
                for rate in _RATES
                for what in (*(f"coordinate {i}" for i in range(n)), "independence of the sum")
            )
        ),
        note="Draws are float64: in float32, coordinates of the sparse Dirichlet round to exactly 1, which the test "
        "rejects.",
    ),
    Claim(
        id="C2",
        place="paper, section 2.2",
        statement="The CIR process is non-negative, converges to a Gamma, and nears 0 below the Feller bound only.",
        paper="-",
        measure=f"{_THEORY}:general_process",
        rule=AllOf(
            Below("share of negative values", 1e-9),
            HolmNotRejected(tuple(f"2ab/sigma^2={shape}, law" for shape in ("0.25", "1", "2"))),
            Above("2ab/sigma^2=0.25, share next to 0", 0.01),
            Below("2ab/sigma^2=1, share next to 0", 0.001),
            Below("2ab/sigma^2=2, share next to 0", 0.001),
        ),
        note="Three processes (a, b, sigma) that are not canonical. Next to 0 means below 1e-6 times the scale "
        "sigma^2 / (2b); for the shape r the exact probability is about (1e-6)^r / Gamma(r + 1).",
    ),
    Claim(
        id="C3",
        place="paper, eq. 4",
        statement="With sigma^2 = 2b the stationary distribution is Gamma(a, 1).",
        paper="-",
        measure=f"{_THEORY}:stationary_distribution",
        rule=HolmNotRejected(tuple(f"a={a}, law" for a in ("0.25", "1", "2"))),
    ),
    Claim(
        id="C4",
        place="paper, eqs. 5 and 6",
        statement="Conditional mean and variance have closed forms (two misprints are corrected).",
        paper="-",
        measure=f"{_THEORY}:moments",
        seeds=5,
        rule=Below("root mean square error, standard errors", 1.5),
        note="For wrong formulas the error would grow with the number of draws; for exact ones it is 1 on average.",
    ),
    Claim(
        id="C5",
        place="paper, eqs. 7 and 8",
        statement="The transition is a scaled noncentral chi-squared, with a Bessel function in its density.",
        paper="-",
        measure=f"{_THEORY}:transition_distribution",
        rule=AllOf(
            Below("largest relative error of the log density", 1e-10),
            HolmNotRejected(("draws from 0, a=0.4", "draws from 1, a=1", "draws from 3, a=2.5")),
        ),
    ),
    Claim(
        id="C6",
        place="paper, eqs. 9 and 10",
        statement="The normalised vector converges to the Dirichlet distribution.",
        paper="-",
        measure=f"{_THEORY}:convergence_to_dirichlet",
        seeds=5,
        rule=Within("rate of decay", 1.0, 0.15),
        note="The slowest mode decays as exp(-b t). The fit starts at b t = 2.5, where the next mode, exp(-2 b t), is "
        "about a tenth of it; an earlier fit from 1 to 3 gave 1.147. With 200,000 draws a point, not a million, "
        "the interval was too wide.",
    ),
    Claim(
        id="C7",
        place="paper, eqs. 11 to 13",
        statement="The time-reversed process with the exact score returns the distribution of the tokens.",
        paper="-",
        measure=f"{_THEORY}:time_reversal",
        seeds=5,
        rule=AllOf(*(Below(f"{name}, 256 steps, excess total variation", 0.005) for name in _PRIORS)),
        note="Total variation above that of as many exact samples. Drift-implicit scheme.",
    ),
    Claim(
        id="C8",
        place="paper, eq. 14",
        statement="Denoising score matching, weighted by the noisy vector, bounds the likelihood.",
        paper="-",
        measure=f"{_THEORY}:bound_is_the_entropy",
        seeds=5,
        rule=AllOf(
            *(
                Within(f"{name}, bound less entropy", 0.0, 0.01)
                for name in ("uniform, n=4", "skewed, n=4", "n=27", "chain of 8")
            )
        ),
        note="With the exact posterior the bound is tight: it equals the entropy of the prior. In nats per position; "
        "with fewer than 50,000 tokens for n=27 the interval was too wide.",
    ),
    Claim(
        id="C9",
        place="paper, eqs. 15 and 16",
        statement="The probability-flow ODE has the same marginals as the process.",
        paper="-",
        measure=f"{_THEORY}:probability_flow_marginals",
        seeds=5,
        rule=HolmNotRejected(tuple(f"flow {way}, coordinate {i}" for way in ("up", "down") for i in range(4))),
    ),
    Claim(
        id="C9b",
        place="paper, eq. 17",
        statement="The logarithmic form of the flow avoids an instability of the plain form.",
        paper="-",
        measure=f"{_THEORY}:probability_flow_marginals",
        seeds=5,
        rule=AllOf(
            *(
                Greater(f"Euler failures {way}, plain", f"Euler failures {way}, log form")
                for way in ("to the tokens", "to noise")
            )
        ),
        note="Towards the tokens, the direction of sampling, there is no instability for a = 1: a plain Euler step of "
        "length h from time t subtracts the fraction h / (exp(b t) - 1) of a coordinate, below 1 for h up to t, and "
        "adds a non-negative term.",
    ),
    Claim(
        id="C10",
        place="paper, section 2.3, remarks on simulation",
        statement="Euler's method needs a floor under its square root; without it paths become NaN.",
        paper="-",
        measure=f"{_THEORY}:floor_in_euler",
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
        place="paper, section 2.3, remarks on simulation",
        statement="A CIR process is a sum of squared Ornstein-Uhlenbeck processes if twice its shape is an integer.",
        paper="-",
        measure=f"{_THEORY}:squares_of_ornstein_uhlenbeck",
        rule=HolmNotRejected(tuple(f"d={d}" for d in (1, 2, 3, 8))),
    ),
    Claim(
        id="C12",
        place="paper, section 2.3, limitations",
        statement="For many categories the rank of the true token in a noisy vector is extremely heavy-tailed.",
        paper="-",
        measure=f"{_THEORY}:heavy_tail_of_the_rank",
        seeds=5,
        rule=AllOf(
            Above("99.9% quantile over mean", 50.0),
            Below("median rank", 1.5),
            Within("mean rank by simulation", 1.7264, 0.05),
        ),
        note="1.7264 is 1 + (n - 1) exp(-m/2) / 2 at n=32,000 and m=20; the distribution is one integral (`rank-law`).",
    ),
    Claim(
        id="C13",
        place="paper, eq. 18",
        statement="The noisy vector is not a posterior over tokens; the posterior is a non-linear function of it.",
        paper="-",
        measure=f"{_THEORY}:vector_is_not_the_posterior",
        seeds=5,
        rule=AllOf(Above("divergence of the vector from the posterior", 0.1), Above("same most probable token", 0.999)),
    ),
    Claim(
        id="X1",
        place="beyond the paper",
        statement="Ancestral sampling by exact bridges is exact for any number of steps, including one.",
        paper="-",
        measure=f"{_THEORY}:exact_for_any_number_of_steps",
        rule=HolmNotRejected(tuple(f"{name}, {steps} steps" for name in _PRIORS for steps in (1, 2, 8, 32))),
    ),
    Claim(
        id="X2",
        place="beyond the paper",
        statement="Token probabilities give the score of the marginal, equal to that by automatic differentiation.",
        paper="-",
        measure=f"{_IDENTITIES}:score_of_the_marginal",
        rule=AllOf(*(Below(f"{name}, largest error", 1e-9) for name in (*_PRIORS, "chain of 6"))),
        note="Relative to the larger of the score and 1, in double precision.",
    ),
    Claim(
        id="X3",
        place="beyond the paper",
        statement="Time, speed, volatility and mass of a token enter through one signal-to-noise ratio only.",
        paper="-",
        measure=f"{_IDENTITIES}:one_signal_to_noise_ratio",
        rule=HolmNotRejected(
            tuple(
                f"{name}, m={m}"
                for name in ("canonical", "ten times as fast", "mass 30", "volatility 0.2")
                for m in ("0.1", "3", "40")
            )
        ),
    ),
    Claim(
        id="X4",
        place="beyond the paper",
        statement="The bridge in closed form is the distribution of paths conditioned on both ends.",
        paper="-",
        measure=f"{_IDENTITIES}:bridges_are_conditioned_paths",
        rule=HolmNotRejected(("a=1.3", "a=0.4", "from 0", "a=6")),
        note="Compared with forward draws by NumPy, accepted with the probability density of reaching the end.",
    ),
    Claim(
        id="X5",
        place="beyond the paper",
        statement="The distribution of the rank is one integral for any n and shape; the useful SNR grows as 2 log n.",
        paper="-",
        measure=f"{_IDENTITIES}:rank_distribution_in_closed_form",
        rule=AllOf(
            HolmNotRejected(tuple(f"n={n}, a={a}" for n in (27, 1000, 32000) for a in ("0.5", "1", "3"))),
            Within("a=1, SNR over log n", 2.0, 0.05),
            *(Within(f"a={a}, SNR over log n", 2.0, 0.5) for a in ("0.5", "3")),
        ),
        note="The useful SNR is where the mean rank is 1.5. For a = 1 that is m = 2 log(n - 1); other shapes differ by "
        "about 2 (a - 1) log m, hence the wider tolerance.",
    ),
    Claim(
        id="X6",
        place="beyond the paper",
        statement="The normalised vector is a Wright-Fisher diffusion under a random time change only.",
        paper="-",
        measure=f"{_IDENTITIES}:wright_fisher_on_a_random_clock",
        seeds=5,
        rule=AllOf(
            Below("distance at the random clock", 0.02),
            Greater("distance at a fixed time", "distance at the random clock"),
        ),
        note="10,000 paths per seed; the time change is integrated in steps of 0.0025.",
    ),
    Claim(
        id="X7",
        place="beyond the paper",
        statement="The density is a series of Laguerre polynomials in which mode j decays as exp(-j b t).",
        paper="-",
        measure=f"{_IDENTITIES}:spectral_form_of_the_density",
        rule=Below("largest difference of densities", 1e-8),
    ),
    Claim(
        id="X8",
        place="beyond the paper",
        statement="On sequences the factorised steps of ancestral sampling have an error that falls with their number.",
        paper="-",
        measure=f"{_IDENTITIES}:factorised_steps_on_a_chain",
        seeds=5,
        rule=Ordered(("1 step", "4 steps", "16 steps", "64 steps")),
        note="A Markov chain with its exact posterior: without a network, all error is that of the sampler.",
    ),
    Claim(
        id="X9",
        place="beyond the paper",
        statement="Ancestral sampling has no discretisation error at any number of steps; other schemes need many.",
        paper="-",
        measure=f"{_IDENTITIES}:error_against_steps",
        seeds=5,
        rule=AllOf(
            *(
                Within(f"{name}, ancestral, {steps} steps", 0.0, tolerance)
                for name, tolerance in (("n=4", 0.01), ("n=27", 0.02))
                for steps in (1, 2, 4, 8, 16, 32)
            ),
            *(
                Greater(f"{name}, euler-reflected, {steps} steps", f"{name}, ancestral, {steps} steps")
                for name in ("n=4", "n=27")
                for steps in (2, 4, 8)
            ),
            *(
                Ordered(tuple(f"{name}, euler-reflected, {steps} steps" for steps in (2, 8, 32)))
                for name in ("n=4", "n=27")
            ),
        ),
        note="Total variation above that of exact samples; the posterior is exact. The figure has all schemes. "
        "Differences at 32 and 128 steps are below the resolution of this number of samples. With three seeds in place "
        "of five, one of the twelve intervals of the ancestral sampler was wider than its tolerance.",
    ),
    Claim(
        id="C14",
        place="paper, section 3",
        statement="Usable for deep generative modelling, which the paper announces as future work.",
        paper="-",
        measure=f"{_NETWORKS}:learned_models",
        assets=tuple(f"assets/weights/{name}/model.safetensors" for name in ("splice", "letters", "digits", "sudoku4")),
        seeds=5,
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
        "n-gram models are fitted on the training part. Longer trainings (splice 15,000 steps in place of 4,000, "
        "sudoku4 30,000 in place of 1,500) and rotary position embeddings for letters improved all results: the first "
        "weights reached 62% of the gap, 3.85 bits, 23.3 nats and 65% of valid grids. Three seeds leave the intervals "
        "of the splice sites too wide, hence five. Grids of 4 x 4 would need a longer training.",
    ),
    Claim(
        id="X10",
        place="beyond the paper",
        statement="Positions are filled in from the conditional distribution given the clamped ones.",
        paper="-",
        measure=f"{_NETWORKS}:infilling",
        assets=("assets/weights/splice/model.safetensors",),
        rule=AllOf(
            Below("excess total variation, exact posterior", 0.05),
            Below("excess total variation, network", 0.15),
            Greater("excess total variation, independent positions", "excess total variation, network"),
        ),
        note="Splice sites, whose true conditional distribution follows from all occurrences; means over three "
        "patterns of known positions. The exact posterior of that distribution shows the error of the sampler alone.",
    ),
    Claim(
        id="X11",
        place="beyond the paper",
        statement="Drawing positions in parallel reduces validity, less with more steps; the network does not.",
        paper="-",
        measure=f"{_NETWORKS}:steps_and_validity",
        assets=("assets/weights/sudoku4/model.safetensors",),
        rule=AllOf(
            Increasing(tuple(f"valid grids, {steps} steps" for steps in (1, 4, 16, 64))),
            Greater("valid grids, 64 steps", "valid grids, 64 steps, exact", margin=-0.05),
        ),
        note="4 x 4 Sudoku, beside the exact posterior of the 288 grids, which has the error of the sampler alone: "
        "none is visible, even in one step, since that posterior makes the final tokens consistent. The loss of "
        "validity is due to the network, whose bound was still decreasing at the end of its training (DATA.md).",
    ),
    Claim(
        id="X12",
        place="beyond the paper",
        statement="Guidance increases the fraction of digits of the requested class.",
        paper="-",
        measure=f"{_NETWORKS}:guided_digits",
        assets=("assets/weights/digits/model.safetensors",),
        rule=Greater("right class, w=1", "right class, w=0"),
        note="Classes are predicted by a support vector machine trained on the validation and test parts.",
    ),
    Claim(
        id="X13",
        place="beyond the paper",
        statement="At a lower temperature more of the drawn words occur in the book.",
        paper="-",
        measure=f"{_NETWORKS}:temperature_of_text",
        assets=("assets/weights/letters/model.safetensors",),
        rule=Increasing(tuple(f"words of the book, T={temperature}" for temperature in ("1.4", "1", "0.7"))),
    ),
    Claim(
        id="X14",
        place="beyond the paper",
        statement="Training on the bound itself gives a better bound than the cross-entropy at uniform log SNRs.",
        paper="-",
        tier="full",
        measure=f"{_NETWORKS}:losses_compared",
        rule=Greater("nothing hidden", "nothing hidden, bound as loss"),
        note="2,000 steps each; longer trainings were not compared.",
    ),
    Claim(
        id="X15",
        place="beyond the paper",
        statement="The exact evidence in the network improves the bound.",
        paper="-",
        tier="full",
        measure=f"{_NETWORKS}:evidence_compared",
        rule=Greater("nothing hidden, no evidence", "nothing hidden"),
    ),
    Claim(
        id="X16",
        place="beyond the paper",
        statement="Masking a part of the positions in training improves the bound, in which nothing is masked.",
        paper="-",
        tier="full",
        measure=f"{_NETWORKS}:hiding_compared",
        rule=Greater("nothing hidden", "as shipped"),
        note="Masking trains the network to fill in; it does not change the bound in 2,000 steps.",
    ),
    Claim(
        id="X17",
        place="beyond the paper",
        statement="Simplex diffusion models splice sites as well as masked discrete diffusion, within 0.05 nats.",
        paper="-",
        tier="full",
        measure=f"{_NETWORKS}:masked_compared",
        rule=Greater("masked diffusion", "as shipped", margin=-0.05),
        note="The same transformer, data, optimiser and number of steps (2,000). Both numbers are upper bounds. Longer "
        "trainings were not compared.",
    ),
)
