from perceiver_ar.experiments.figures import lines


def test_curves_and_bands() -> None:
    (axes,) = lines({"a": ([1, 2], [3, 4]), "b": ([1, 2], [1, 1])}, "x", "y", log_x=True, log_y=True,
                    bands={"a": ([2, 3], [4, 5])}).axes  # fmt: skip
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert len(axes.collections) == 1
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
