"""Labs are tested by their controls: what runs again, and what the readout says then."""

import re
import sys

import pytest
import torch
from matplotlib import pyplot as plt

from fmcore.fields import Rotation
from fmcore.sampling import DEFAULT_STEPS
from fmcore.solvers import SOLVERS
from fmcore.viz import labs

widgets = pytest.importorskip("ipywidgets")

X0 = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
rotation = Rotation(3.0)


def parts(lab):
    """The dropdown, the slider, the picture, the readout and the help line."""
    (solver, slider), (picture, readout, hint) = lab.children[0].children, lab.children[1:]
    return solver, slider, picture, readout, hint


def nfe(readout):
    return int(re.search(r"NFE (\d+),", readout.value)[1])


def theory(method, steps):
    """Evaluations on a fixed grid; an embedded method does not need its last slope there."""
    known = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "bosh3": 3, "dopri5": 6}
    return steps * known.get(method, SOLVERS[method].stages - SOLVERS[method].fsal)


def test_solver_lab_runs_again_with_the_solver_and_steps_chosen():
    lab = labs.solver_lab(rotation, X0, solvers=tuple(SOLVERS), steps=10, max_steps=20)
    solver, slider, picture, readout, _ = parts(lab)
    assert readout.value.startswith("Heun, 10 steps: NFE 20, ")
    seen = {picture.value}
    for method in SOLVERS:
        for steps in (1, 2, 7):
            solver.value, slider.value = method, steps
            assert nfe(readout) == theory(method, steps)
            assert f"{steps} step{'' if steps == 1 else 's'}: " in readout.value
            assert re.search(r"\d\.\d ms", readout.value)
            seen.add(picture.value)
    assert len(seen) == 1 + 3 * len(SOLVERS)  # a new picture each time


def test_solver_lab_measures_the_distance_from_the_exact_end():
    # Euler with n steps multiplies the radius by (1 + (3/n)^2)^(n/2) on a rotation of rate 3
    solver, slider, _, readout, _ = parts(labs.solver_lab(rotation, X0[1:], t_span=(0, 1)))
    solver.value, slider.value = "euler", 1
    end = torch.tensor([-3.0, 1.0])  # one step along the tangent
    exact = torch.tensor([-1.0, 0.0]) * torch.tensor(3.0).sin()
    exact[1] = torch.tensor(3.0).cos()
    said = float(re.search(r"distance from the fine solution ([\d.e-]+)", readout.value)[1])
    assert said == pytest.approx((end - exact).norm().item(), rel=0.05)
    solver.value, slider.value = "rk4", 40
    assert float(re.search(r"solution ([\d.e-]+)", readout.value)[1]) < 1e-4


def test_solver_lab_goes_backward_and_takes_a_crowd_on_leave():
    many = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    *_, picture, readout, _ = parts(labs.solver_lab(rotation, many, t_span=(1.0, 0.0), steps=4))
    assert "50 particles computed by Heun in 4 steps" in picture.value
    assert nfe(readout) == 8


def test_controls_are_native_labelled_and_throttled():
    lab = labs.solver_lab(rotation, X0, solvers=("euler", "rk4"), steps=3, max_steps=9)
    solver, slider, picture, _, hint = parts(lab)
    assert isinstance(solver, widgets.Dropdown) and isinstance(slider, widgets.IntSlider)
    assert [name for _, name in solver.options] == ["euler", "rk4"]
    assert (slider.min, slider.max, slider.value) == (1, 9, 3)
    assert solver.description and slider.description and slider.continuous_update is False
    assert "needs a kernel" in hint.value
    assert re.match(
        r'<img alt="2 paths computed by Euler in 3 steps" .*max-width: 100%', picture.value
    )
    assert plt.get_fignums() == []  # nothing that a notebook would show a second time


def test_without_a_kernel_a_line_says_how_to_open_the_lab():
    shown = labs.solver_lab(rotation, X0)._repr_mimebundle_()
    assert "Colab" in shown["text/html"] and "make lab" in shown["text/html"]
    if int(widgets.__version__.split(".")[0]) >= 8:
        assert "application/vnd.jupyter.widget-view+json" in shown


def test_an_error_appears_with_its_traceback_and_goes_again():
    def field(x, t):
        if broken:
            raise RuntimeError("the wind <died> at sea")
        return rotation(x, t)

    broken = False
    solver, slider, picture, readout, _ = parts(labs.solver_lab(field, X0))
    broken = True
    slider.value = 3
    assert "RuntimeError: the wind &lt;died&gt; at sea" in readout.value
    assert "<died>" not in readout.value  # a message is text, not markup
    assert "in field" in readout.value and "NFE" not in readout.value and picture.value == ""
    broken = False
    solver.value = "rk4"
    assert nfe(readout) == 12 and "img" in picture.value


def test_an_error_while_building_is_raised():
    with pytest.raises(ValueError, match="NaN|finite"):
        labs.solver_lab(lambda x, t: x / 0, X0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solvers": ("heun", "eular")}, "solvers must be some of euler.*got 'eular'"),
        ({"solvers": ()}, "solvers must be some of euler"),
        (
            {"steps": 50, "max_steps": 40},
            "steps must be .* at most 40, got 50",
        ),
        ({"steps": 0}, "steps must be .* at most 40, got 0"),
        ({"x0": torch.zeros(3)}, r"x0 must have shape \(B, 2\), got \(3,\)"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        labs.solver_lab(rotation, **{"x0": X0, **options})


def test_without_ipywidgets_a_line_says_what_to_install_and_the_notebook_goes_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    lab = labs.solver_lab(rotation, X0)
    words = "needs ipywidgets 7.7 or later: pip install ipywidgets"
    assert words in repr(lab) and words in lab._repr_html_()
    with pytest.raises(ValueError, match="solvers must be some of euler"):  # as with them
        labs.solver_lab(rotation, X0, solvers=("eular",))


def test_digit_lab_starts_from_one_noise_and_counts_the_evaluations(monkeypatch, unet, gen):
    noises = []

    def spy(model, n, **options):
        noises.append(options["x0"].clone())
        return generate(model, n, **options)

    generate = labs.generate
    monkeypatch.setattr(labs, "generate", spy)
    model = unet.train()
    lab = labs.digit_lab(model, n=3, generator=gen, solvers=tuple(SOLVERS), steps=2, max_steps=5)
    solver, slider, picture, readout, hint = parts(lab)
    for method in SOLVERS:
        solver.value = method
        for steps in (3, 1):
            slider.value = steps
            assert nfe(readout) == theory(method, steps)
    expected = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    assert len(noises) > 10 and all(torch.equal(x, expected) for x in noises)
    assert "3 digits generated by Dormand–Prince in 1 step" in picture.value
    assert "needs a kernel" in hint.value
    assert model.training and not model._forward_hooks  # left as it was


def test_digit_lab_begins_as_generate_does(unet, gen):
    solver, slider, *_ = parts(labs.digit_lab(unet, n=2, generator=gen))
    assert (solver.value, slider.value) == ("midpoint", DEFAULT_STEPS)
    solver, *_ = parts(labs.digit_lab(unet, n=2, generator=gen, solvers=("rk4", "heun")))
    assert solver.value == "rk4"


def test_digit_lab_shows_the_digits_and_the_time_they_took(monkeypatch, unet, gen):
    shown, clock = [], iter([100.0, 100.25])
    draw = labs.plots.digits

    def spy(x, **how):
        shown.append((x, how["columns"], how["ax"].figure.get_size_inches()))
        return draw(x, **how)

    monkeypatch.setattr(labs.plots, "digits", spy)
    monkeypatch.setattr(labs.time, "perf_counter", lambda: next(clock))
    *_, readout, _ = parts(labs.digit_lab(unet, n=9, generator=gen, solvers=("euler",), steps=2))
    x0 = torch.randn(9, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    [(x, columns, size)] = shown
    assert torch.equal(x, labs.generate(unet, 9, method="euler", steps=2, x0=x0))
    assert "250.0 ms" in readout.value
    assert columns == 8 and size == pytest.approx([8 * 0.8, 2 * 0.8])


def test_digit_lab_shows_errors_and_wants_a_generator(monkeypatch, unet, gen):
    *_, slider, picture, readout, _ = parts(labs.digit_lab(unet, n=1, generator=gen, steps=1))
    monkeypatch.setattr(unet, "forward", lambda x, t: x * torch.nan)
    slider.value = 2
    assert 'role="alert"' in readout.value and "ValueError" in readout.value
    assert picture.value == "" and not unet._forward_hooks
    with pytest.raises(TypeError, match="generator must be a torch.Generator"):
        labs.digit_lab(unet, generator=None)


def test_a_solver_of_ones_own_works_in_both_labs(own_solver, unet, gen):
    """Two evaluations a step, under a name made from its own."""
    lab = labs.solver_lab(rotation, X0, solvers=("euler", own_solver), steps=4)
    solver, _, picture, readout, _ = parts(lab)
    assert [label for label, _ in solver.options] == ["Euler", "Own"]
    solver.value = "own"
    assert readout.value.startswith("Own, 4 steps: NFE 8,") and "by Own" in picture.value
    *_, readout, _ = parts(labs.digit_lab(unet, n=1, generator=gen, solvers=[own_solver], steps=3))
    assert readout.value.startswith("Own, 3 steps: NFE 6,")
