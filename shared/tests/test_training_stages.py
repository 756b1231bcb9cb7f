"""A recipe of stages: resumed at each, its time shared out, and nothing made from something else."""

import json
from dataclasses import dataclass

import pytest

from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import Run
from onepaper.training.stages import Stage, run_stages


@dataclass(frozen=True)
class Config:
    size: int = 3


class Recipe:
    """Tokenizer -> cache -> model; a stage needs `steps` of work, and does `budget` of it in one command."""

    def __init__(self, folder, budget=None, size=3):
        self.folder, self.budget, self.size = folder, budget or {}, size
        self.calls = []

    def stages(self):
        return [
            Stage("tokenizer", Config(self.size), self.worker("tokenizer"), outputs=("made",)),
            Stage("cache", {"kind": "latents"}, self.worker("cache", "tokenizer"), ("tokenizer",), ("made",)),
            Stage("model", Config(), self.worker("model", "cache"), ("tokenizer", "cache"), ("made",)),
        ]

    def worker(self, name, source=None):
        def work(run, minutes):
            self.calls.append((name, minutes))
            assert run.folder == self.folder / name
            assert run.record["config"] in ({"size": self.size}, {"size": 3}, {"kind": "latents"})
            read = (self.folder / source / "made").read_text() if source else "text"
            progress = run.folder / "progress"
            steps = (int(progress.read_text()) if progress.exists() else 0) + self.budget.get(name, 2)
            progress.write_text(str(steps))
            (run.folder / "made").write_text(f"{name} of {min(steps, 2)} steps from ({read})")
            return steps >= 2

        return work

    def run(self, **options):
        self.folder.mkdir(exist_ok=True)
        return run_stages(Run(self.folder, {"paper": "test"}), self.stages(), **options)

    @property
    def made(self):
        return (self.folder / "model" / "made").read_text()


WHOLE = "model of 2 steps from (cache of 2 steps from (tokenizer of 2 steps from (text)))"


def test_stages_run_in_order_and_are_skipped_when_done(tmp_path, capsys):
    recipe = Recipe(tmp_path / "run")
    assert recipe.run() == []
    assert recipe.made == WHOLE
    assert recipe.calls == [("tokenizer", 0.0), ("cache", 0.0), ("model", 0.0)]
    assert capsys.readouterr().out.splitlines() == [
        "stage 1 of 3: tokenizer", "stage 2 of 3: cache", "stage 3 of 3: model",
    ]  # fmt: skip
    assert recipe.run() == []
    assert len(recipe.calls) == 3
    assert capsys.readouterr().out == ""


def test_a_killed_recipe_goes_on_in_the_stage_that_was_killed(tmp_path):
    class Killed(BaseException):
        pass

    recipe = Recipe(tmp_path / "run")
    stages = recipe.stages()

    def killed(run, minutes):
        (run.folder / "progress").write_text("1")
        raise Killed

    run = Run(recipe.folder, {})
    recipe.folder.mkdir()
    with pytest.raises(Killed):
        run_stages(run, [stages[0], Stage("cache", stages[1].config, killed, ("tokenizer",), ("made",)), stages[2]])
    assert recipe.run() == []
    assert [name for name, _ in recipe.calls] == ["tokenizer", "cache", "model"]
    assert (recipe.folder / "cache" / "progress").read_text() == "3"


def test_time_is_shared_out_and_every_stage_leaves_something(tmp_path):
    recipe = Recipe(tmp_path / "run", budget={"tokenizer": 1, "model": 1})
    assert recipe.run(max_minutes=30) == ["tokenizer", "cache", "model"]
    assert recipe.made == "model of 1 steps from (cache of 2 steps from (tokenizer of 1 steps from (text)))"
    shares = [minutes for _, minutes in recipe.calls]
    assert shares == pytest.approx([10, 15, 30], rel=0.01)
    assert recipe.run(max_minutes=1e-9) == ["model"]
    assert recipe.made.startswith("model of 1 steps from (cache of 2 steps from (tokenizer of 2 steps")
    assert all(minutes > 0 for _, minutes in recipe.calls)
    assert recipe.run() == []
    assert recipe.made == WHOLE


def test_what_is_done_on_unfinished_inputs_that_end_the_same_stays(tmp_path):
    recipe = Recipe(tmp_path / "run", budget={"tokenizer": 1})
    recipe.run()
    record = json.loads((recipe.folder / "tokenizer" / "stage.json").read_text())
    (recipe.folder / "tokenizer" / "stage.json").write_text(json.dumps(record | {"done": True}))
    assert recipe.run() == []
    assert [name for name, _ in recipe.calls] == ["tokenizer", "cache", "model"]
    assert recipe.run() == []


def test_a_stage_waits_for_an_input_without_outputs(tmp_path):
    recipe = Recipe(tmp_path / "run")
    stages = recipe.stages()
    nothing = Stage("tokenizer", stages[0].config, lambda run, minutes: False, (), ("made",))
    recipe.folder.mkdir()
    assert run_stages(Run(recipe.folder, {}), [nothing, *stages[1:]]) == ["tokenizer", "cache", "model"]
    assert recipe.calls == []


def test_what_belongs_to_other_stages_is_refused(tmp_path):
    recipe = Recipe(tmp_path / "run")
    recipe.run()
    with pytest.raises(UsageError, match="tokenizer is of another configuration .size: 4 here, 3 there.; choose"):
        Recipe(recipe.folder, size=4).run()
    for file in ("stage.json", "made", "progress"):
        (recipe.folder / "tokenizer" / file).unlink()
    with pytest.raises(UsageError, match="cache was made from another 'tokenizer'; choose another --output"):
        Recipe(recipe.folder, size=4).run()


@pytest.mark.parametrize("damage", ["changed", None])
def test_damaged_outputs_are_noticed(tmp_path, damage):
    recipe = Recipe(tmp_path / "run")
    recipe.run()
    made = recipe.folder / "cache" / "made"
    made.unlink() if damage is None else made.write_text(damage)
    with pytest.raises(OnePaperError, match="cache.made is missing or damaged; remove .*cache to make it again"):
        recipe.run()


def test_wrong_recipes(tmp_path):
    run = Run(tmp_path, {})
    stage = Stage("a", {}, lambda run, minutes: True, outputs=("made",))
    with pytest.raises(UsageError, match="unknown earlier stage 'b'"):
        run_stages(run, [Stage("a", {}, stage.run, ("b",)), Stage("b", {}, stage.run)])
    with pytest.raises(UsageError, match="stage 'a' is there twice"):
        run_stages(run, [stage, stage])
    with pytest.raises(UsageError, match=r"stage '\.\./a' is .* no name of a folder"):
        run_stages(run, [Stage("../a", {}, stage.run)])
    with pytest.raises(OnePaperError, match="stage 'a' has not left .*made, one of its outputs"):
        run_stages(run, [stage])
    (tmp_path / "a" / "stage.json").write_text("[]")
    with pytest.raises(UsageError, match="stage.json is no record of a stage; remove"):
        run_stages(run, [stage])
