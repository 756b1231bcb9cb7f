"""The claims of the paper, how each is measured here, and the rule of its verdict."""

from pathlib import Path

from onepaper.claims import (
    Above,
    AllOf,
    Below,
    Claim,
    Equal,
    Greater,
    Increasing,
    Ordered,
    PaperScale,
    Within,
)

_EXACT, _SHIPPED = "cdcd.experiments.exact", "cdcd.experiments.shipped"
_ARMS, _STEPS, _TRANSLATION = (f"cdcd.experiments.{name}" for name in ("training_arms", "steps", "translation"))

_FOLDER = Path(__file__).parent

# Results on shipped networks belong to exactly these files.
_WEIGHTS = (
    *sorted(path.relative_to(_FOLDER).as_posix() for path in _FOLDER.glob("assets/weights/speeches*/*")),
    "assets/data/speeches.tsv.xz",
)
# Networks that are trained for the claim belong to their text.
_VERSES = ("assets/data/verses.tsv.xz",)

_ONE_NETWORK = "The network was trained once; each seed gives new noise."

CLAIMS = (
    Claim(
        id="C1",
        place="Paper, section 3.1, eq. 6 to 8",
        statement="The interpolated score of exact probabilities is the score of the noisy distribution.",
        paper="an identity",
        measure=f"{_EXACT}:score_identity",
        rule=AllOf(Below("largest error, float32", 1e-5), Below("largest error, float64", 1e-10)),
        seeds=5,
        note="A mixture of 32 tokens, compared with automatic differentiation of its log-density.",
    ),
    Claim(
        id="C2",
        place="Paper, section 3.2",
        statement="A squared error makes embeddings that are learned with it collapse; cross-entropy makes their norm "
        "grow, unless they are normalised.",
        paper="a statement",
        measure="cdcd.experiments.collapse:collapse",
        rule=AllOf(
            Below("distance at the end over that at the start, squared error", 0.2),
            Above("norm at the end over that at the start, cross-entropy", 3.0),
            Above("norm at the end over that a quarter before, cross-entropy", 1.0),
            Within("norm at the end over that at the start, cross-entropy, normalised", 1.0, 1e-4),
        ),
        note="64 independent tokens with 16 channels, 4000 steps.",
    ),
    Claim(
        id="C3",
        place="Paper, section 3.3 and figure 2",
        statement="Through the fitted time warping the loss is close to linear.",
        paper="a figure",
        measure=f"{_SHIPPED}:loss_over_u",
        rule=AllOf(Above("R^2 by u", 0.97), Below("largest deviation by u", 0.08), Below("R^2 by t", 0.8)),
        assets=_WEIGHTS,
        note=f"{_ONE_NETWORK} A first network had t_max = 150, where the loss has been flat since t = 20; most of the "
        "weight of the fit was there, and the largest deviation was 0.107 (R^2 0.971). The shipped one has t_max = 50.",
    ),
    Claim(
        id="C4",
        place="Paper, section 3.3",
        statement="Time warping puts most weight on intermediate noise levels; at the highest one, tokens are guessed "
        "by their frequency.",
        paper="a figure",
        measure=f"{_SHIPPED}:weight_of_levels",
        rule=AllOf(
            Above("share of intermediate levels", 0.8), Within("loss at t_max over unigram cross-entropy", 1.0, 0.03)
        ),
        assets=_WEIGHTS,
        note=_ONE_NETWORK,
    ),
    Claim(
        id="C5",
        place="Paper, table 1, time warping",
        statement="Time warping helps when it is used in training and sampling, and not in training alone.",
        paper="AR-NLL 5.091 (neither), 5.092 (training), 4.392 (both)",
        measure=f"{_ARMS}:time_warping",
        rule=AllOf(Greater("AR-NLL, neither", "AR-NLL, both"), Greater("AR-NLL, training only", "AR-NLL, both")),
        tier="retrain",
        assets=_WEIGHTS,
        note="Trainings of the preset laptop; the paper's are `paper-base` and `paper-no-warping`.",
    ),
    Claim(
        id="C6",
        place="Paper, table 1, self-conditioning",
        statement="Self-conditioning helps only if it is also used in sampling.",
        paper="AR-NLL 4.781 (neither), 4.892 (training), 4.392 (both)",
        measure=f"{_ARMS}:self_conditioning",
        rule=AllOf(Greater("AR-NLL, neither", "AR-NLL, both"), Greater("AR-NLL, training only", "AR-NLL, both")),
        tier="retrain",
        assets=_WEIGHTS,
        note="Trainings of the preset laptop; the paper's are `paper-base` and `paper-no-self-conditioning`.",
    ),
    Claim(
        id="C7",
        place="Paper, table 1, initial scale of the embeddings",
        statement="A large initial scale of the embeddings is bad.",
        paper="AR-NLL 4.376 (1e-4), 4.392 (1e-3), 4.386 (1e-2), 4.437 (0.1), 4.617 (1)",
        rule=PaperScale("onepaper cdcd train --preset paper-embedding-scale-1 --data.path FOLDER"),
    ),
    Claim(
        id="C8",
        place="Paper, table 1, width of the embeddings",
        statement="Wider embeddings help up to 64 channels.",
        paper="AR-NLL 4.493 (16), 4.423 (32), 4.392 (64), 4.391 (128), 4.398 (256), 4.389 (512), 4.386 (1024)",
        rule=PaperScale("onepaper cdcd train --preset paper-embedding-16 --data.path FOLDER"),
    ),
    Claim(
        id="C9",
        place="Paper, table 1, masks",
        statement="Random masks in training help the completion of prefixes a little.",
        paper="AR-NLL 4.411 (prefix of 32), 4.417 (prefix), 4.401 (random), 4.402, 4.392, 4.394 (20, 50, 80% prefix)",
        rule=PaperScale("onepaper cdcd train --preset paper-mask-prefix --data.path FOLDER"),
    ),
    Claim(
        id="C10",
        place="Paper, table 1, renormalisation and clamping",
        statement="Renormalised or clamped predictions lower both AR-NLL and entropy.",
        paper="AR-NLL and entropy 4.392, 7.237 (none), 3.762, 6.946 (renormalised), 3.881, 6.770 (clamped)",
        measure=f"{_ARMS}:postprocessing",
        rule=AllOf(
            *(
                Greater(f"{quantity}, plain", f"{quantity}, {name}")
                for name in ("renormalised", "clamped")
                for quantity in ("AR-NLL", "entropy")
            )
        ),
        tier="retrain",
        assets=_WEIGHTS,
        note="Trainings of the preset laptop; the paper's are `paper-renormalize` and `paper-clamp`.",
    ),
    Claim(
        id="C11",
        place="Paper, tables 1 and 2, appendix A.6",
        statement="Temperature and uniformity of the time warping lead from the fitted map to no warping.",
        paper="AR-NLL 4.392 (T=1) to 5.036 (T=100); 4.377 (mu=0.1) to 5.074 (mu=1)",
        measure=f"{_EXACT}:warp_limits",
        rule=AllOf(
            Below("error at infinite temperature", 1e-5),
            Below("error at uniformity 1", 1e-5),
            Below("change by temperature 1 and uniformity 0", 1e-5),
        ),
        seeds=5,
        note="The exact part: both limits are the identity. The numbers of the paper are its trainings.",
    ),
    Claim(
        id="C12",
        place="Paper, table 1, target of the time warping",
        statement="Beta distribution functions as the target of the loss bring minor gains.",
        paper="AR-NLL 4.362 (1/2, 1) to 4.544 (2, 1/2); 4.392 (1, 1)",
        rule=PaperScale("onepaper cdcd train --preset paper-warp-beta-0.5-1 --data.path FOLDER"),
    ),
    Claim(
        id="C13",
        place="Paper, table 2, number of steps",
        statement="More Euler steps help with diminishing returns; 50 are usable.",
        paper="AR-NLL 5.039 (10), 4.775 (20), 4.546 (50), 4.448 (100), 4.392 (200), 4.353 (500)",
        measure=f"{_SHIPPED}:steps_of_euler",
        rule=AllOf(
            Ordered(tuple(f"AR-NLL, {steps} steps" for steps in (5, 10, 20, 50, 100, 200))),
            Below("share of the gap left at 50 steps", 0.25),
        ),
        tier="full",
        assets=_WEIGHTS,
        note=_ONE_NETWORK,
    ),
    Claim(
        id="C14",
        place="Paper, table 2, Heun",
        statement="With few evaluations Heun has a better AR-NLL than Euler and less entropy; with many it gains "
        "nothing.",
        paper="AR-NLL and entropy 4.600, 6.955 (Heun 5), 5.039, 7.281 (Euler 10), 4.380, 7.231 (Heun 100), "
        "4.392 (Euler 200)",
        measure=f"{_SHIPPED}:heun_against_euler",
        rule=AllOf(
            Greater("AR-NLL, Euler 10", "AR-NLL, Heun 5"),
            Greater("entropy, Euler 10", "entropy, Heun 5"),
            Equal("AR-NLL, Heun 100", "AR-NLL, Euler 200", 0.05),
        ),
        tier="full",
        assets=_WEIGHTS,
        note=_ONE_NETWORK,
    ),
    Claim(
        id="C15",
        place="Paper, table 2 and figure 5",
        statement="The score temperature has more entropy than the softmax temperature at equal AR-NLL.",
        paper="AR-NLL and entropy 4.073, 7.118 (score 0.95), 4.041, 6.999 (softmax 0.8)",
        measure=f"{_SHIPPED}:temperatures",
        rule=Greater("entropy, score temperature at equal AR-NLL", "entropy, softmax temperature 0.8"),
        tier="full",
        assets=_WEIGHTS,
        note=_ONE_NETWORK,
    ),
    Claim(
        id="C16",
        place="Paper, table 2, guidance",
        statement="Guidance lowers AR-NLL and adds repetition.",
        paper="AR-NLL 4.392 (1), 4.157 (2), 3.927 (4), 3.731 (8)",
        measure=f"{_SHIPPED}:guidance",
        rule=AllOf(
            Ordered(tuple(f"AR-NLL, guidance {scale}" for scale in (1, 2, 4, 8))),
            Greater("repetition, guidance 8", "repetition, guidance 1"),
        ),
        tier="full",
        assets=_WEIGHTS,
        note=_ONE_NETWORK + " Its samples hardly repeat sequences of four tokens, and do so equally at every scale.",
    ),
    Claim(
        id="C17",
        place="Paper, table 2, spacing of the steps",
        statement="The spacing of Karras et al. (2022) helps without time warping, not with it, and does not "
        "replace it.",
        paper="AR-NLL without warping 5.068, 4.631, 4.534, 4.509 (rho 1, 2, 4, 8), with it 4.392, 4.405, 4.424, 4.443",
        measure=f"{_SHIPPED}:spacings",
        rule=AllOf(
            Greater("AR-NLL, unwarped 1", "AR-NLL, unwarped 8"),
            Greater("AR-NLL, unwarped 8", "AR-NLL, warped 1"),
            Greater("AR-NLL, warped 8", "AR-NLL, warped 1", margin=-0.02),
        ),
        tier="full",
        assets=_WEIGHTS,
        note=_ONE_NETWORK,
    ),
    Claim(
        id="C18",
        place="Paper, table 2, final evaluation",
        statement="A final evaluation is not needed: the embeddings nearest to the last prediction do as well.",
        paper="AR-NLL 4.392 (evaluated), 4.394 (nearest)",
        measure=f"{_SHIPPED}:final_tokens",
        rule=AllOf(Equal("AR-NLL, evaluated", "AR-NLL, nearest to the prediction", 0.02), Above("equal tokens", 0.98)),
        assets=_WEIGHTS,
        note=_ONE_NETWORK,
    ),
    Claim(
        id="C19",
        place="Paper, table 3 and section 6.5",
        statement="With 1.3 billion parameters the MAUVE score is at least that of an autoregressive model of equal "
        "size.",
        paper="MAUVE 0.953 (T=0.99, guidance 4); autoregressive 0.940 (nucleus 0.9)",
        rule=PaperScale("onepaper cdcd train --preset paper-1.3b --data.path FOLDER"),
    ),
    Claim(
        id="C20",
        place="Paper, table 4",
        statement="Translations of the diffusion model have a lower BLEU than those of an autoregressive model of the "
        "same size.",
        paper="BLEU 19.3, 24.9, 20.7 (En-De, De-En, Zh-En, base size), autoregressive 26.2, 30.2, 25.2",
        measure=f"{_TRANSLATION}:against_baseline",
        rule=Greater("BLEU, autoregressive", "BLEU, diffusion"),
        tier="retrain",
        assets=_VERSES,
        note="Verses from English to Spanish; trainings of the presets laptop-mt and laptop-mt-autoregressive. After "
        "2000 steps the diffusion model repeats words and hardly translates: the order of the two is reproduced, the "
        "size of the gap is not.",
    ),
    Claim(
        id="C21",
        place="Paper, table 4 and section 6.6",
        statement="Minimum Bayes risk over more samples gives better translations.",
        paper="BLEU 19.3, 19.7, 20.0 (1, 10, 100 samples, En-De, base size)",
        measure=f"{_TRANSLATION}:least_risk_of_samples",
        rule=AllOf(
            Increasing(tuple(f"BLEU, {count} hypotheses" for count in (1, 4, 16))), Below("p of the bootstrap", 0.05)
        ),
        tier="full",
        assets=_VERSES,
        note="Verses from English to Spanish by the shipped network, which was trained once, for 8000 steps; each seed "
        "gives new noise. Measured first on three trainings of 2000 steps, whose samples repeat words, each about as "
        "bad as another: BLEU 1.33, 1.29, 1.03, not reproduced.",
    ),
    Claim(
        id="C22",
        place="Paper, section 4.3",
        statement="Self-conditioning adds 10 to 15% to the time of a training step.",
        paper="10 to 15%",
        measure=f"{_STEPS}:cost_of_self_conditioning",
        rule=Below("time with over without", 1.2),
        alone=True,
        note="The preset laptop. One more forward pass of half of the batch is a sixth of a step of three units.",
    ),
    Claim(
        id="C23",
        place="Paper, section 6.1, footnote 9",
        statement="Tokens with noise of standard deviation 1 can be decoded at 256 channels, and not at 16.",
        paper="100% at 256",
        measure=f"{_EXACT}:decodability",
        rule=AllOf(Above("decoded, d=256", 0.999), Below("decoded, d=16", 0.99)),
        note="32,000 random embeddings.",
    ),
    Claim(
        id="C24",
        place="Paper, appendix B.2",
        statement="Without the noise level as an input the network is much worse.",
        paper="a statement",
        measure=f"{_ARMS}:time_conditioning",
        rule=Greater("AR-NLL, without", "AR-NLL, with"),
        tier="retrain",
        assets=_WEIGHTS,
        note="Trainings of the preset laptop.",
    ),
    Claim(
        id="C25",
        place="Paper, sections 2.3 and 6.5",
        statement="More and shorter sequences are better than fewer and longer ones, because noise is drawn for each "
        "sequence.",
        paper="a statement",
        measure=f"{_STEPS}:gradient_noise",
        rule=Greater("variance, 64 sequences of 32", "variance, 256 sequences of 8"),
        tier="full",
        assets=_WEIGHTS,
        note="Variance of the gradient of 2048 tokens, at the weights of the shipped network.",
    ),
    Claim(
        id="C26",
        place="Paper, section 4.1 and figure 7",
        statement="One network trained with mixed masks completes prefixes and fills any gaps.",
        paper="samples",
        measure=f"{_SHIPPED}:loss_of_masks",
        rule=AllOf(*(Above(f"lead of {name}", 5.0) for name in ("prefix", "suffix", "middle", "random"))),
        assets=_WEIGHTS,
        note="Lead over no given tokens in standard errors. " + _ONE_NETWORK,
    ),
)
