"""The sentences that say a number from the results: `SAID`.

Each is a piece of a text as it stands there, with `{expression:format}` for each number. Pieces of
one file are parted by empty lines; how their lines break does not matter. The expressions use the
functions of `lookup.py`.
"""

PIECES = {
    "README.md": r"""
**Speed of a solver.** `odeint` takes at most {max(ratios('fmcore', 'loop')):.2f} times as long as
a bare Python loop with the same steps, and its `dopri5` {min(ratios('fmcore',
'torchdiffeq')):.2f} to {max(ratios('fmcore', 'torchdiffeq')):.2f} of the time of torchdiffeq's.

**Speed of training.** On one NVIDIA H200, `fit` trains the reference network on
{by_fit('images_per_second'):,.0f} images a second, {by_fit('images_per_second') /
script('images_per_second'):.1f} times the rate of the reference script.

**Quality.** With ten evaluations a digit, {100 * ten('readable'):.0f} % of what the shipped
network draws can be read as digits. Asked for a class, it gets {100 * mean('mnist', 'readable',
model='ours', guidance=1.0):.0f} %, and a network that was trained for ten minutes on two CPU cores
gets {100 * climbed('10 minutes', 'readable'):.0f} %.

The same judge reads {100 * bound('readable', 'floor'):.0f} % of real digits and {100 *
bound('readable', 'ceiling'):.0f} % of digits glued from two halves.
""",
    "benchmarks/README.md": r"""
What does each part of the recipe contribute? | {min(one['seconds'] for one in
rows('recipe')) / 60:.0f} minutes a training on a CPU |

The classifier behind the Fréchet distance | {network_card('mnist')['seconds'] / 60:.0f} minutes
on a CPU core |

Can a judge say no? Three readers and their controls | {row('reader', seed=0)['seconds'] / 60:.0f}
minutes a reader on a CPU core |

What does a second yardstick make of images we know? | {row('lenet',
what='network')['seconds']:.0f} s of training on a CPU core |
""",
    "benchmarks/lenet5/README.md": r"""
three linear layers, {row('lenet', what='network')['parameters']:,} parameters

{100 * row('lenet', what='network')['test_accuracy']:.2f} % on the 10,000 test images

{100 * row('lenet', what='network')['train_accuracy']:.2f} % on the training images

shared with other work: {row('lenet', what='network')['seconds']:.0f} s
""",
    "book/08_navigator.ipynb": r"""
$s = 2\pi$ gives a Fréchet distance of {short('time turns once')['frechet']:.2f} and $s = 1000$
one of {short('our recipe')['frechet']:.2f}

two levels get a Fréchet distance of {short('our recipe')['frechet']:.2f} and three get {short('a
third level')['frechet']:.2f} (less is better; real images have {short('our
recipe')['frechet_floor']:.2f};

a Fréchet distance of {small('frechet', 'our recipe'):.2f} with the SiLU and of {small('frechet',
'no SiLU before FiLM'):.2f} without, where the standard deviation over the seeds is
{spread('recipe', 'frechet', recipe='our recipe'):.1f}.

two levels with 24 channels, {row('recipe', recipe=WIDE, seed=0)['parameters']:,} parameters, get
{small('frechet', WIDE):.2f}, and three levels with 16 channels, {row('recipe', recipe='a third
level', seed=0)['parameters']:,} parameters, get {small('frechet', 'a third level'):.2f}. Two levels
with 16 channels get {small('frechet', 'our recipe'):.2f}.
""",
    "book/09_training_on_mnist.ipynb": r"""
on an H200 this took {short('a third level')['seconds']:.0f} seconds, {short('a third
level')['seconds_before_first_report']:.0f} of them compiling

falls ever more slowly to {loss(149):.4f}

On an H200 this network took {short('a third level')['seconds']:.0f} seconds, with compilation, and
its samples have a Fréchet distance ([Sampling](10_sampling.ipynb)) of {short('a third
level')['frechet']:.2f}

Two levels get {gpu('our recipe, seed 0')['frechet']:.2f} after 50 epochs, the network that comes
with the library {row('mnist_gpu', **plain('midpoint'), steps=5)['frechet']:.2f}, and real images
{gpu('our recipe, seed 0')['frechet_floor']:.2f}

logit-normal times get a Fréchet distance of {short('t logit-normal')['frechet']:.2f}, and uniform
ones {short('t uniform')['frechet']:.2f}

the longest runs took {climbed('10 minutes', 'seconds'):.0f} seconds on average, and the second
network reads {100 * climbed('10 minutes', 'readable'):.0f} % of their digits, where it reads {100
* bound('readable', 'floor'):.0f} % of real ones. After two minutes it reads {100 * climbed('2
minutes', 'readable'):.0f} %, and after twenty seconds {100 * climbed('20 seconds',
'readable'):.0f} %. The Fréchet distance falls from {climbed('20 seconds', 'frechet'):.2f} to
{climbed('2 minutes', 'frechet'):.2f} and {climbed('10 minutes', 'frechet'):.2f}; real digits get
{bound('frechet', 'floor'):.2f}, and the shipped network, asked for the same classes, gets
{mean('mnist', 'frechet', model='ours', guidance=1.0):.2f} and {100 * mean('mnist', 'readable',
model='ours', guidance=1.0):.0f} %.

It lifts the readable share to {100 * climbed('2 minutes', 'readable', 2.0):.0f} % after two minutes
and to {100 * climbed('10 minutes', 'readable', 2.0):.0f} % after ten.

After ten minutes the Fréchet distance is larger with it than without, {climbed('10 minutes',
'frechet', 2.0):.2f} against {climbed('10 minutes', 'frechet'):.2f}, and the *recall*, the share
of real digits that lie where samples lie, falls from {climbed('10 minutes', 'recall'):.2f} to
{climbed('10 minutes', 'recall', 2.0):.2f}.

takes {step('fmcore, bf16')['ratio']:.2f} of the time of float32, and compiled {step('fmcore,
bf16, compiled')['ratio']:.2f}

matrices run at {gpu('profile')['matmul']['tflops']:.0f} TFLOP/s

`fit` trains on {round(by_fit('images_per_second'), -2):,.0f} images/s there, which is
{by_fit('tflops'):.0f} TFLOP/s

So the 50 epochs take {gpu('our recipe, seed 0')['seconds']:.0f} seconds

would take {script('seconds_of_50_epochs'):.0f} on the same card

`fit` reaches {gpu('our recipe, seed 0')['seconds']:.0f} seconds by

the average had the smaller loss in {sum(run['ahead'] for run in matching('small_runs',
what='walk')):d} of {sum(len(run['looks']) for run in matching('small_runs', what='walk')):d}

(`benchmarks/small_runs.py`): {abs(max(change('middle'))):.0f} to {-min(change('middle')):.0f} %
less in the middle, {min(change('last')):.0f} to {max(change('last')):.0f} % more at the last
moments.

training took {gpu('our recipe, seed 0')['memory_mib'] * 1.048576e-3:.2f} GB on the H200

The first epoch, with a mean of {loss(0):.2f}, lies far above the frame

After three of the 150 epochs the loss is {loss(2):.3f}

After ten epochs with 64 channels it gets a Fréchet distance of {short('our
recipe')['frechet']:.2f}. With a rate of 2e-4 in
place of 1e-3 it gets {short('learning rate 2e-4')['frechet']:.2f}, and with a constant rate of
1e-3 it gets {short('constant learning rate')['frechet']:.2f}

a classifier takes {100 * short('t uniform, weighted robust loss')['classes'][1]:.0f} % of the
samples for a 1 and {100 * short('t uniform, weighted robust loss')['classes'][7]:.0f} % for a 7;
with the square, at uniform times, it takes {100 * short('t uniform')['classes'][1]:.0f} % and
{100 * short('t uniform')['classes'][7]:.0f} %

After ten epochs our recipe gets {short('our recipe')['frechet']:.2f}, with $\sigma_{\min} = 0.1$
it gets {short('sigma_min 0.1')['frechet']:.2f}, with the weighted robust loss
{short('t uniform, weighted robust loss')['frechet']:.2f}, and the whole reference recipe
{short('the reference recipe')['frechet']:.2f}.

real images with the same noise get {real('frechet', 0.1):.2f}. So the
{gpu('the reference recipe, our way')['frechet']:.2f} of the recipe after 50 epochs

the {gpu('our recipe, seed 0')['frechet']:.2f} of our recipe for the same network, whose samples
have no such noise: real images without it get {gpu('our recipe, seed 0')['frechet_floor']:.2f}

{100 * gpu('the reference recipe, our way')['classes'][1]:.0f} % of these samples are taken for a 1
and {100 * gpu('the reference recipe, our way')['classes'][7]:.0f} % for a 7
""",
    "book/10_sampling.ipynb": r"""
the best of these four solvers at every number of evaluations in the table: {ten('frechet'):.2f}
after 10 evaluations, where Euler has {ten('frechet', 'euler'):.2f} and Heun
{ten('frechet', 'heun'):.2f}.

RK4 with a last midpoint step has {by('frechet', 'rk4, midpoint at the end', 18):.3f} with 18
evaluations, where midpoint has {by('frechet', 'midpoint', 20):.3f} with 20

after 20 it reads {100 * by('readable', 'midpoint', 20):.0f} % of midpoint's and
{100 * by('readable', 'rk4', 20):.0f} % of RK4's.

two and a half grey levels, have a Fréchet distance of {real('frechet', 0.02):.2f}, and with noise
of 0.1 they have {real('frechet', 0.1):.1f}.

the glued halves, of which {100 * bound('readable', 'ceiling'):.0f} % can be read, while of the
noisy images {100 * real('readable', 0.1):.1f} % can.

20 Euler steps get {on_gpu('euler', 20)['frechet']:.2f}, and midpoint gets
{on_gpu('midpoint', 20)['frechet']:.2f} with 40 evaluations and
{on_gpu('midpoint', 50)['frechet']:.2f} with 100.

precision rises from {on_gpu('euler', 20)['precision']:.2f} to
{on_gpu('midpoint', 50)['precision']:.2f} between 20 Euler steps and 100 evaluations of midpoint,
recall from {on_gpu('euler', 20)['recall']:.2f} to {on_gpu('midpoint', 50)['recall']:.2f}.

That share is {100 * ten('readable', 'euler'):.0f} % after 10 Euler steps and
{100 * by('readable', 'euler', 20):.0f} % after 20, and {100 * bound('readable', 'floor'):.0f} %
for real ones.

fewer digits can be read: {100 * by('readable', 'heun', 10, 'late'):.0f} % instead of
{100 * ten('readable', 'heun'):.0f} %.

the opposite grid, with small steps near the noise, is better: {by('frechet', 'euler', 10,
'early'):.2f} and {100 * by('readable', 'euler', 10, 'early'):.0f} %.

on {row('bits', what='dequantised')['images']:,} images drawn from the training set, dequantised
anew in every batch

Over {row('bits', what='shipped')['n']:d} test images the network takes {row('bits',
what='shipped')['bits']:.2f} ± {row('bits', what='shipped')['error']:.2f} bits as it is shipped and
{row('bits', what='dequantised')['bits']:.2f} ± {row('bits', what='dequantised')['error']:.2f}
after this training

it is {row('bits', what='dequantised')['bits'] - 1.06:.2f} to
{row('bits', what='dequantised')['bits'] - 0.99:.2f} bits behind the published ones. Blank paper
then takes {row('bits', what='dequantised')['blank']:.2f} bits instead of
{row('bits', what='shipped')['blank']:.2f}

Their Fréchet distance is even a little smaller with the bug ({late_reference()['frechet']:.2f},
150 steps) than without it ({row('mnist_gpu', model='reference', solver='rk4',
steps=25)['frechet']:.2f}, 25 steps)
""",
    "book/built.md": r"""
A figure weighs about {round(row('figure', what='sizes')['scripts_bytes'], -4) / 1000:.0f} kB
before compression

come as one picture of {size('fmcore/assets/mnist_sprite.png') / 1000:.0f} kB
""",
    "book/measured.ipynb": r"""
`odeint` takes at most {max(ratios('fmcore', 'loop')):.2f} times as long as the loop, torchdiffeq
up to {max(ratios('torchdiffeq', 'loop')):.2f} times where the field is cheap.

Below, `dopri5` at equal tolerances, in units of torchdiffeq: {min(ratios('fmcore',
'torchdiffeq')):.2f} to {max(ratios('fmcore', 'torchdiffeq')):.2f} of its time.

Over five problems and six tolerances, in float64, `dopri5` takes {sum(adaptive('fmcore',
'nfe')):,} evaluations in total and torchdiffeq's version {sum(adaptive('torchdiffeq', 'nfe')):,}.

Ours takes more in {count('fmcore', 'torchdiffeq', 'nfe'):d} of the {len(adaptive('fmcore',
'nfe')):d} solves, and its error is smaller in {count('torchdiffeq', 'fmcore', 'error'):d}.

In 2 dimensions the exact divergence is affordable ({cost('MLP, points', 'fmcore, exact'):.1f}
samples).

In 64 dimensions it takes {cost('convolution, 8 x 8', 'fmcore, exact'):.0f} samples, random signs
{cost('convolution, 8 x 8', 'fmcore, hutchinson'):.1f}.

Closed forms and lattices are ready within a frame of 16 ms, 95 % of the time in at most
{max(redraw(f)['script_ms_p95'] for f in ('mixture of eight', 'wind (storm)', 'lattice')):.1f} ms.

The larger MLP shows {redraw('mlp, 3 x 128')['particles_at_once']:d} particles after {redraw('mlp,
3 x 128')['script_ms_median']:.0f} ms and the rest {redraw('mlp, 3 x
128')['all_particles_ms']:.0f} ms later.

A storm of 2,000 particles with trails plays at {row('figure',
what='play')['frames_per_second']:.0f} frames a second, and 95 % of its frames take at most
{row('figure', what='play')['frame_ms_p95']:.1f} ms.

The scripts of one figure are {row('figure', what='sizes')['scripts_bytes'] / 1000:.1f} kB,
compressed {row('figure', what='sizes')['scripts_gzip_bytes'] / 1000:.1f} kB.

A first visit to the landing page loads {row('site', what='page',
page='index')['all_gzip_bytes'] / 1e6:.1f} MB with all styles and fonts, and a chapter with living
figures {min(pages()):.1f} to {max(pages()):.1f} MB.

`fit`, the bare loop and the reference's procedure differ by at most {max(step(who)['ratio'] for
who in ('fmcore', 'reference')) * 100 - 100:.0f} % in time.

What helps is bf16 with a compiler: {step('fmcore, bf16, compiled')['images_per_second']:.0f}
images a second instead of {step('fmcore')['images_per_second']:.0f}.

The last three columns judge 10,000 samples of five midpoint steps, by the measure explained in
the next section; real images get {gpu('our recipe, seed 0')['frechet_floor']:.2f}, {gpu('our
recipe, seed 0')['precision_floor']:.2f} and {gpu('our recipe, seed 0')['recall_floor']:.2f}.

Of the {by_fit('seconds'):.0f} s of the first run by `fit`,
{by_fit('seconds_before_first_report'):.0f} s are compilation and the first report; later runs
find the compiled code on disk.

Without them it takes {by_fit('seconds') - by_fit('seconds_before_first_report'):.0f} s, at
{by_fit('images_per_second') / script('images_per_second'):.1f} times the rate of the script.

A step takes {256e3 / by_fit('images_per_second'):.1f} ms.

That is {by_fit('tflops'):.0f} TFLOP/s, or {100 * by_fit('tflops') /
gpu('profile')['matmul']['tflops']:.0f} % of what this card reaches in large matrix products
({gpu('profile')['matmul']['tflops']:.0f} TFLOP/s).

Drawing 10,000 digits with 10 evaluations takes {by_fit('sampling_seconds'):.1f} s and
{by_fit('sampling_memory_mib') / 1024:.1f} GiB in batches of 2,500, uncompiled.

(From one run of our recipe to the next, the memory grows by about {gpu('our recipe, seed
1')['memory_mib'] - gpu('our recipe, seed 0')['memory_mib']:.0f} MiB that the earlier runs have
left.)

The shipped network drew {matching('mnist', model='ours')[0]['n']:,} digits a row on a CPU

Of the four solvers the midpoint rule has the lowest Fréchet distance at every number of
evaluations shown, {ten('frechet'):.2f} at ten, where real images have {bound('frechet',
'floor'):.2f} and the best control {bound('frechet', 'ceiling'):.2f}.

At ten evaluations {100 * ten('readable'):.0f} % of its digits are readable, compared with
{100 * bound('readable', 'floor'):.0f} % of real ones and {100 * bound('readable', 'ceiling'):.0f} %
of those of the control.

At ten evaluations Heun has a Fréchet distance of {ten('frechet', 'heun'):.2f} and midpoint one of
{ten('frechet'):.2f}, yet {100 * ten('readable', 'heun'):.0f} % of Heun's digits are readable and
{100 * ten('readable'):.0f} % of midpoint's.

RK4 with a last step by midpoint has {mean('mnist', 'frechet', **plain('rk4, midpoint at the
end')):.3f} with 18 evaluations, where the midpoint rule has {mean('mnist', 'frechet',
**plain('midpoint'), nfe=20.0):.3f} with 20.

In the features of `DigitClassifier`, noise of 0.1 raises it from {real('frechet'):.2f} to
{real('frechet', 0.1):.2f}, although {100 * real('readable', 0.1):.1f} % of these images are read
as digits.

LeNet-5 hardly sees it ({row('lenet', what='training images')['distance']:.3f} and {row('lenet',
what='training images, noise 0.1')['distance']:.3f}).

Noise of 0.02, two and a half grey levels, cannot be seen on a page; it costs {real('frechet',
0.02) - real('frechet'):.2f}.

And noise of 0.1 alone gives {real('frechet', 0.1):.2f}, which is about what digits glued from two
halves get ({bound('frechet', 'ceiling'):.2f}).

The shipped network, up to 100 evaluations; real images get {row('mnist_gpu',
model='torchcfm')['frechet_floor']:.2f}:

RK4 with a last step by midpoint, which has 18 evaluations and so no column, gets
{row('mnist_gpu', **plain('rk4, midpoint at the end'))['frechet']:.3f}; midpoint gets
{row('mnist_gpu', **plain('midpoint'), steps=10)['frechet']:.3f} with 20.

These get {real('frechet', 0.1):.2f} in Fréchet distance, {real('precision', 0.1):.2f} in
precision and {real('recall', 0.1):.2f} in recall.

The reference gets {min(peer('reference', 'frechet')):.2f} to {max(peer('reference',
'frechet')):.2f}, {min(peer('reference', 'precision')):.2f} to {max(peer('reference',
'precision')):.2f} and {min(peer('reference', 'recall')):.2f} to {max(peer('reference',
'recall')):.2f}.

**At three epochs torchcfm's network is ahead of ours in precision**, {peer('torchcfm',
'precision')[0]:.3f} against {peer('ours, as long as torchcfm', 'precision')[0]:.3f}.

Ours is ahead in Fréchet distance ({peer('ours, as long as torchcfm', 'frechet')[0]:.2f} against
{peer('torchcfm', 'frechet')[0]:.2f}) and in recall ({peer('ours, as long as torchcfm',
'recall')[0]:.3f} against {peer('torchcfm', 'recall')[0]:.3f}).

The third level helps most: it lowers the Fréchet distance from {short('our
recipe')['frechet']:.2f} to {short('a third level')['frechet']:.2f} and raises precision from
{short('our recipe')['precision']:.2f} to {short('a third level')['precision']:.2f}.

For the network trained further, a tolerance of 1e-3 instead of 1e-5 lowers the result by
{-row('bits', what='dequantised, tolerance 0.001')['change']:.3f} bits, and a start at t = 0.999
instead of 1 raises it by {row('bits', what='dequantised, end 0.999')['change']:.2f}. For the
shipped network the same start lowers it by {-row('bits', what='shipped, end
0.999')['change']:.3f}.

The reference recipe is ahead of ours in precision ({short('the reference
recipe')['precision']:.2f} against {short('our recipe')['precision']:.2f}) and far behind in
recall ({short('the reference recipe')['recall']:.2f} against {short('our
recipe')['recall']:.2f}).

The third level has {row('recipe', recipe='a third level', seed=0)['parameters']:,} parameters here,
two levels with 16 channels have {row('recipe', recipe='our recipe', seed=0)['parameters']:,}, and
two levels with 24 channels {row('recipe', recipe=WIDE, seed=0)['parameters']:,}.

At equal size the third level is ahead: its Fréchet distance is {small('frechet', 'a third
level'):.2f} against {small('frechet', WIDE):.2f}, and {100 * small('readable', 'a third
level'):.0f} % of its samples can be read against {100 * small('readable', WIDE):.0f} %.

The SiLU before FiLM changes nothing that three seeds could show: {small('frechet', 'our
recipe'):.2f} with it, {small('frechet', 'no SiLU before FiLM'):.2f} without.

It reads {100 * min(read('test images')):.1f} % of the test images or more, {100 *
min(glued()):.0f} to {100 * max(glued()):.0f} % of digits glued from halves of two classes, and
none of the noise.

The features behind the Fréchet distance, precision and recall are those of another classifier,
which reads {100 * network_card('mnist')['test_accuracy']:.2f} % of the test images correctly;

`python benchmarks/classifier.py` took {network_card('mnist')['seconds'] / 60:.0f} minutes on one
shared CPU core.

LeNet-5, the second yardstick, reads {100 * row('lenet', what='network')['test_accuracy']:.2f} %.
""",
    "fmcore/assets/features/mnist.md": r"""
{network_card('mnist')['parameters']:,} parameters

{100 * network_card('mnist')['test_accuracy']:.2f} % on the 10,000 test images

{100 * network_card('mnist')['train_accuracy']:.2f} % on the training images

shared with other work: {network_card('mnist')['seconds']:,} s
""",
    "fmcore/assets/features/reader.md": r"""
two linear layers, {row('reader', seed=0)['parameters']:,} parameters

{100 * row('reader', seed=0)['test_accuracy']:.2f} % on the 10,000 test images

shared with other work: {row('reader', seed=0)['seconds']:.0f} s

about {bound('readable', 'floor'):.2f}, for real digits, and about {bound('readable',
'ceiling'):.1f}, for digits glued
""",
    "fmcore/assets/mnist.md": r"""
one NVIDIA H200 beside other work, {measured('shipped')['about']['seconds']:.0f} s

{loss(149):.4f}, the mean of the last epoch

Without a class, {100 * ten('readable'):.0f} % of what it draws can be read as a digit (real test
images: {100 * bound('readable', 'floor'):.0f} %, digits glued from two halves at most {100 *
bound('readable', 'ceiling'):.0f} %).

Asked for a digit it draws that one in {100 * mean('mnist', 'accuracy', model='ours',
guidance=1.0):.0f} of 100 cases, and with guidance of 2 in {100 * mean('mnist', 'accuracy',
model='ours', guidance=2.0):.0f}, with less variety.

{matching('mnist', model='ours')[0]['n']:,} samples of 5 midpoint steps

a Fréchet distance of {ten('frechet', 'heun'):.2f} at 10 evaluations of Heun. With a last step by
the midpoint rule (`generate(..., last_step="midpoint")`) Heun has {ten('frechet', 'heun, midpoint
at the end'):.2f}; the midpoint rule, the default, has {ten('frechet'):.2f}
""",
}

SAID: list[tuple[str, str]] = [
    (file, " ".join(piece.split()))
    for file, pieces in PIECES.items()
    for piece in pieces.strip().split("\n\n")
]
