"""A paper made for tests: a package with metadata in a folder, found through its entry point like any other."""

from pathlib import Path

CONFIG = '''
from dataclasses import dataclass, field
from typing import Annotated, Literal
from onepaper.config import check_positive
from onepaper.paper import RunOptions

@dataclass(frozen=True)
class Optimizer:
    lr: float = 1e-3
    """Learning rate."""
    name: Literal["adam", "sgd"] = "adam"
    """Which optimiser."""

@dataclass(frozen=True)
class Config:
    steps: int = 10
    """Training steps."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    def __post_init__(self) -> None:
        check_positive("steps", self.steps)

@dataclass(frozen=True)
class OtherConfig:
    width: int = 1

@dataclass(frozen=True)
class SampleOptions(RunOptions):
    prompts: Annotated[tuple[str, ...], "positional", "one of fake_paper_package.config:prompts"] = ()
    """What to sample."""
    count: int = 4
    """How many."""
    colour: Literal["red", "blue"] = "red"
    """Which one."""

def prompts():
    return ["ring", "bar"]

@dataclass(frozen=True)
class ServeOptions:
    port: int = 0
    """Where to answer."""
'''
PAPER = """
from onepaper.paper import Paper, Preset, Verb
from fake_paper_package.config import Config, OtherConfig, SampleOptions, ServeOptions

PAPER = Paper(
    name="fake-paper", module="fake_paper_package", title="A Fake Paper", authors="A. Author", venue="Nowhere",
    year=2020, arxiv="0000.00000", framework="torch",
    presets={"laptop-small": Preset("minutes", Config()), "smoke": Preset("seconds", Config(steps=2)),
             "paper-wide": Preset("another experiment", OtherConfig(), unsure=("width", "depth"))},
    aliases={"laptop": "laptop-small"},
    verbs=(Verb("train", "train it", "fake_paper_package.verbs:train", preset="laptop-small", configs=(Config,)),
           Verb("sample", "sample it", "fake_paper_package.verbs:sample", SampleOptions, preset="smoke",
                configs=(Config, OtherConfig)),
           Verb("serve", "answer requests", "fake_paper_package.verbs:serve", ServeOptions, long_running=True)),
    claims_in="fake_paper_package.claims:CLAIMS",
    cost_of="fake_paper_package.verbs:cost",
)
"""
CLAIMS = """
from onepaper.claims import Claim, NotTestable

RULE = NotTestable("no data")
CLAIMS = tuple(
    Claim(id=name, place="section 1", statement="it works", paper="yes", rule=RULE) for name in ("C1", "C2")
)
"""
VERBS = """
import json
from onepaper.config import to_dict
from onepaper.errors import OnePaperError

def train(call):
    with call.open_run() as run:
        run.write_json("done.json", {"config": to_dict(call.config), "options": to_dict(call.options)})
        if call.config.optimizer.lr > 100:
            raise OnePaperError("the loss is nan\\nat step 3")

def sample(call):
    print(json.dumps({"options": to_dict(call.options), "config": to_dict(call.config), "preset": call.preset}))

def serve(call):
    import time
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("closed", flush=True)

def cost(config):
    return {"parameters": "12"}
"""


def make(folder: Path) -> Path:
    """Write the package and its metadata below `folder`, which then belongs on the path."""
    package = folder / "fake_paper_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import sys\nfrom onepaper.cli import main\nmain(['fake-paper', *sys.argv[1:]])\n"
    )
    for name, text in (("config", CONFIG), ("paper", PAPER), ("verbs", VERBS), ("claims", CLAIMS)):
        (package / f"{name}.py").write_text(text)
    metadata = folder / "fake_paper-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-paper\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[onepaper.papers]\nfake-paper = fake_paper_package.paper:PAPER\n")
    return folder
