import pytest

from onepaper.claims.tables import all_claims_table, claims_table, papers_table, render_file, render_tables
from onepaper.errors import OnePaperError, UsageError

from . import toy_ledger
from .toy_ledger import record


@pytest.fixture
def paper(tmp_path, monkeypatch):
    paper = toy_ledger.make(tmp_path, monkeypatch)
    record(paper, paper.ledger[0])
    return paper


def make_stale(paper):
    code = paper.package_folder() / "claims.py"
    code.write_text(code.read_text().replace("0.63 +", "0.62 +"))


TEXT = """# Toy
Accuracy is <!-- result:C1:accuracy -->?<!-- /result -->, so C1 is <!-- result:C1:verdict --><!-- /result -->.
<!-- claims:begin -->
old
<!-- claims:end -->
after
"""


def test_the_table_has_a_row_a_claim(paper):
    lines = claims_table(paper).splitlines()
    assert len(lines) == 2 + len(paper.ledger)
    expected = r"| **C1** | statement 1 \| of &lt;all> (§2) | 0.63 | accuracy of 0.64 | reproduced | quick |"
    assert lines[2] == expected
    assert "| `torchrun train --preset paper` | paper scale |" in lines[5]
    assert lines[4].endswith("|  | not run | retrain |")


def test_a_stale_row_says_so(paper):
    make_stale(paper)
    assert "reproduced **(stale)**" in claims_table(paper)
    assert "| 1 | 0 | 0 | **1 stale**; 1 paper scale" in papers_table([paper])
    assert "reproduced **(stale)**" in all_claims_table([paper])


def test_render_writes_then_agrees(paper, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(TEXT)
    assert render_file(path, paper)
    text = path.read_text()
    assert "Accuracy is <!-- result:C1:accuracy -->0.640<!-- /result -->, so" in text
    assert "<!-- result:C1:verdict -->reproduced<!-- /result -->" in text
    assert f"<!-- claims:begin -->\n{claims_table(paper)}\n<!-- claims:end -->\nafter\n" in text
    assert not render_file(path, paper)
    assert not render_file(path, paper, check=True)


def test_check_fails_on_disagreement_and_leaves_the_file(paper, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(TEXT)
    render_file(path, paper)
    wrong = path.read_text().replace("-->0.640<", "-->0.641<")
    path.write_text(wrong)
    with pytest.raises(OnePaperError, match=r"README.md:2 disagrees .*0.641.*0.640"):
        render_file(path, paper, check=True)
    assert path.read_text() == wrong
    make_stale(paper)
    with pytest.raises(OnePaperError, match="stale"):
        render_file(path, paper, check=True)
    render_file(path, paper)
    assert "0.640 (stale)<!--" in path.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing here", "nothing to render"),
        ("<!-- claims:begin -->", "needs one"),
        ("<!-- claims:end --><!-- claims:begin -->", "needs one"),
        ("<!-- result:C1:acc -->1<!-- /result -->", "no value 'acc', expected one of: 'accuracy'"),
        ("<!-- result:C3:loss -->1<!-- /result -->", "has no recorded result; record C3"),
        ("<!-- result:C1:accuracy -->1 <!-- result:C1:accuracy -->1<!-- /result -->", "without its"),
    ],
)
def test_wrong_markers_are_reported(paper, tmp_path, text, message):
    path = tmp_path / "page.md"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        render_file(path, paper)
    with pytest.raises(UsageError, match="cannot read"):
        render_file(tmp_path / "lost.md", paper)


def test_papers(paper, tmp_path):
    path = tmp_path / "README.md"
    path.write_text("<!-- papers:begin --><!-- papers:end -->")
    tables = {"papers": papers_table([paper])}
    assert render_tables(path, tables)
    row = "| [toy-ledger](packages/toy-ledger) | A &lt;Toy> & its Ledger | torch |"
    assert f"{row} 1 | 0 | 0 | 1 paper scale; 1 not testable; 2 not run |" in path.read_text()
    assert not render_tables(path, tables, check=True)


def test_all_claims_have_an_anchor_of_their_own(paper):
    lines = all_claims_table([paper, paper]).splitlines()
    assert len(lines) == 2 + 2 * len(paper.ledger)
    link = '<a id="toy-ledger-C1"></a>[C1](#toy-ledger-C1)'
    row = "statement 1 \\| of &lt;all> (§2) | accuracy of 0.64 | reproduced | quick | 1.5 s | 300 MiB |"
    assert lines[2] == f"| [toy-ledger](papers/toy-ledger.md) | {link} | {row}"
    assert lines[5].endswith("|  | paper scale |  |  |  |")
