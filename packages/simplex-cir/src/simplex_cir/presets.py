"""Named configurations."""

from dataclasses import replace

from onepaper.paper import Preset
from onepaper.training import LoopOptions

from simplex_cir.config import LETTERS, DataConfig, LearnedConfig, ModelConfig, OracleConfig

_SPLICE = LearnedConfig()
_LETTERS = LearnedConfig(
    data=DataConfig("letters"),
    model=ModelConfig(LETTERS, positions=32, width=128, depth=3, rotary=True, stored="float16"),
    batch_size=64,
    optimizer=replace(_SPLICE.optimizer, lr=2e-3),
    loop=replace(_SPLICE.loop, steps=10_000, evaluate_every=2500),
)
PRESETS = {
    "laptop-splice": Preset("human 5' splice sites, 9 nucleotides", _SPLICE),
    "laptop-sudoku4": Preset(
        "all 288 grids of 4 x 4",
        LearnedConfig(
            data=DataConfig("sudoku4"),
            model=ModelConfig("1234", positions=16, depth=3, layout="grid"),
            batch_size=128,
            loop=replace(_SPLICE.loop, steps=30_000, evaluate_every=5000),
        ),
    ),
    "laptop-letters": Preset("windows of 32 letters of a book", _LETTERS),
    "laptop-digits": Preset(
        "handwritten digits, 8 x 8 pixels in black and white, with their class",
        LearnedConfig(
            data=DataConfig("digits"),
            model=ModelConfig(".#", positions=64, depth=3, num_classes=10),
            batch_size=64,
            optimizer=replace(_SPLICE.optimizer, lr=2e-3, weight_decay=0.1),
            loop=replace(_SPLICE.loop, steps=3000, evaluate_every=1500),
        ),
    ),
    "laptop-sudoku9": Preset(
        "9 x 9 grids",
        LearnedConfig(
            data=DataConfig("sudoku9"),
            model=ModelConfig("123456789", positions=81, width=128, depth=6, layout="grid"),
            batch_size=64,
            optimizer=replace(_SPLICE.optimizer, lr=1e-3),
        ),
    ),
    "paper-text8": Preset(
        "27 symbols, windows of 256, the size of other discrete diffusions; the note itself trains nothing",
        LearnedConfig(
            data=DataConfig("letters", length=256),
            model=ModelConfig(LETTERS, positions=256, width=768, depth=12, heads=12, rotary=True),
            batch_size=512,
            optimizer=replace(_SPLICE.optimizer, lr=3e-4, warmup_steps=2500, ema_decay=0.9999),
            loop=LoopOptions(steps=1_000_000, log_every=100, evaluate_every=10_000, checkpoint_every=5000),
        ),
    ),
    "laptop-oracle": Preset("four categories with a known prior: every sampler, no network", OracleConfig()),
    "laptop-oracle-chain": Preset(
        "a Markov chain with a known posterior: what drawing positions independently costs",
        OracleConfig((0.4, 0.3, 0.2, 0.1), stay=0.6, positions=8, samplers=("ancestral",), steps=(1, 4, 16, 64)),
    ),
    "smoke": Preset(
        "splice sites, a few steps of a tiny network",
        LearnedConfig(
            model=ModelConfig(width=32, depth=1),
            batch_size=64,
            optimizer=replace(_SPLICE.optimizer, warmup_steps=10),
            loop=LoopOptions(steps=150, log_every=50, checkpoint_every=100),
        ),
    ),
}
ALIASES = {"laptop": "laptop-splice"}
