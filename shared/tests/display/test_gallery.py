"""The page of samples: what is shown, in which order, and that nothing of a sample is markup."""

import html
import re
from urllib.parse import unquote, urlsplit

from onepaper.display.gallery import File, Item, Section, save_samples, write_gallery, write_page


def test_files_of_one_name_belong_together_and_the_newest_section_comes_first(tmp_path):
    for step in (9, 10):
        files = {f"sample-{step}.wav": b"w", f"sample-{step}.png": b"p", f"sample-{step}.mid": b"m"}
        save_samples(tmp_path / f"step-{step}", files)
    page = write_gallery(tmp_path, "a run").read_text(encoding="utf-8")
    assert re.findall(r"<h2>(.*)</h2>", page) == ["step-10", "step-9"]
    assert page.count("<figure") == 2
    first = page[page.index("<figure") : page.index("</figure>")]
    order = [first.index(part) for part in ('<img src="step-10/sample-10.png"', "<audio", ">sample-10.mid</a>")]
    assert order == sorted(order)


def test_samples_are_sorted_by_number_and_text_is_no_markup(tmp_path):
    save_samples(tmp_path, {f"sample-{number}.txt": f"<b>{number}</b> & co".encode() for number in (10, 2, 1)})
    (tmp_path / "run.json").write_text("{}")
    page = write_gallery(tmp_path, "<i>title</i>").read_text(encoding="utf-8")
    assert re.findall(r"<pre>&lt;b&gt;(\d+)&lt;/b&gt; &amp; co</pre>", page) == ["1", "2", "10"]
    assert "<i>" not in page
    assert "run.json" not in page
    assert write_gallery(tmp_path, "again").read_text(encoding="utf-8").count("<figure") == 3  # not the page itself


def test_addresses_are_quoted(tmp_path):
    names = ["50% #1?.png", 'a "b"<i>.wav', "ä&amp;.mid"]
    save_samples(tmp_path / "step #2", dict.fromkeys(names, b"x"))
    page = write_gallery(tmp_path, "names").read_text(encoding="utf-8")
    addresses = {html.unescape(found) for found in re.findall(r'(?:src|href)="([^"]*)"', page)}
    found = {tmp_path / unquote(urlsplit(address).path) for address in addresses}
    assert found == {tmp_path / "step #2" / name for name in names}
    assert "<i>" not in page


def test_what_was_given_is_marked(tmp_path):
    files = {
        "a.txt": b"Once <upon> a time",
        "a.given.txt": b"Once <u",
        "b.txt": b"CAGG\nCATG",
        "b.given.txt": b"C??G\nC??G",
    }
    save_samples(tmp_path, files | {"c.txt": b"all new"})
    page = write_gallery(tmp_path, "prompts").read_text(encoding="utf-8")
    texts = re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)
    assert texts == [
        "<mark>Once &lt;u</mark>pon&gt; a time",
        "<mark>C</mark>AG<mark>G\nC</mark>AT<mark>G</mark>",
        "all new",
    ]
    assert page.count("<figure") == 3
    assert "Marked text was" in page
    (tmp_path / "a.given.txt").unlink()
    (tmp_path / "b.given.txt").unlink()
    assert "Marked text was" not in write_gallery(tmp_path, "none").read_text(encoding="utf-8")


def test_the_command_of_the_run_is_shown(tmp_path):
    save_samples(tmp_path / "samples", {"a.txt": b"a"})
    assert 'class="command"' not in write_gallery(tmp_path / "samples", "s").read_text(encoding="utf-8")
    (tmp_path / "run.json").write_text('{"command": "onepaper toy sample --prompt \'<a>\'"}')
    page = write_gallery(tmp_path / "samples", "s").read_text(encoding="utf-8")
    assert '<pre class="command">onepaper toy sample --prompt &#39;&lt;a&gt;&#39;</pre>' in page


def test_a_page_of_sections_holds_its_pictures(tmp_path):
    picture = File("one.png", "data:image/png;base64,AA", "picture", is_link=False)
    sections = [Section([Item([picture], "by <chance>")], "First", "onepaper toy sample")]
    page = write_page(tmp_path, "A gallery", sections, "Lead").read_text(encoding="utf-8")
    assert '<img src="data:image/png;base64,AA" alt="by &lt;chance&gt;"' in page
    assert "<figcaption>by &lt;chance&gt;</figcaption>" in page
    assert "<h2>First</h2>" in page
    assert "<p>Lead</p>" in page
    assert "prefers-color-scheme: dark" in page
