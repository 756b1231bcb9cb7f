"""The page of samples: what is shown, in which order, and that nothing of a sample is markup."""

import re

from onepaper.display.gallery import save_samples, write_gallery


def test_files_of_one_name_belong_together_and_the_newest_section_comes_first(tmp_path):
    for step in (9, 10):
        files = {f"sample-{step}.wav": b"w", f"sample-{step}.png": b"p", f"sample-{step}.mid": b"m"}
        save_samples(tmp_path / f"step-{step}", files)
    page = write_gallery(tmp_path, "a run").read_text(encoding="utf-8")
    assert re.findall(r"<h2>(.*)</h2>", page) == ["step-10", "step-9"]
    assert page.count("<figure>") == 2
    first = page[page.index("<figure>") : page.index("</figure>")]
    order = [first.index(part) for part in ('<img src="step-10/sample-10.png"', "<audio", ">sample-10.mid</a>")]
    assert order == sorted(order)


def test_samples_are_sorted_by_number_and_text_is_no_markup(tmp_path):
    save_samples(tmp_path, {f"sample-{number}.txt": f"<b>{number}</b> & co".encode() for number in (10, 2, 1)})
    (tmp_path / "run.json").write_text("{}")
    page = write_gallery(tmp_path, "<i>title</i>").read_text(encoding="utf-8")
    assert re.findall(r"<pre>&lt;b&gt;(\d+)&lt;/b&gt; &amp; co</pre>", page) == ["1", "2", "10"]
    assert "<i>" not in page
    assert "run.json" not in page
    assert write_gallery(tmp_path, "again").read_text(encoding="utf-8").count("<figure>") == 3  # not the page itself
