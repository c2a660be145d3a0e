"""How fast training is, against the write-ups' way and against plain PyTorch: `python -m lab bench`.

Three loops train the same networks with the same augmentation, in turns, so that a machine that slows down slows all of
them: the write-ups' own (torchvision's MNIST, PIL transforms, a DataLoader), a plain loop over resident data with
nn.Dropout, and the lab's `train`. A figure is the minimum over rounds; the median is beside it.
"""

from __future__ import annotations

import math
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from core.architecture.trace import trace
from core.checkpoints.checkpoint import device_name
from core.data.mnist import Dataset, load
from core.data.vision import torchvision
from core.ladder import catalogue
from core.training.augment import augment
from core.training.batches import batches
from core.training.computing import computing
from core.training.dropout import Dropout, draw_from
from core.training.loop import Points, train
from core.training.network import build
from core.training.recipe import Augmentation, Recipe
from core.training.resident import Examples, Resident, choose_device, grey, normalised, resident
from core.training.step import forward, make_optimizer

NETWORKS = ("a2-final-7758", "a3-dilation-5340", "a1-skeleton-509946")
VARIANTS = ("write-up", "plain", "ours")
MANY = 200  # epochs, more than anybody waits for
MAKING = "gather and augment"
WORKERS = (0, 2, 4)  # of the DataLoader; the best of them speaks for the write-ups' way


@dataclass
class Timing:
    """Seconds of an iteration of one network in one variant, a figure for each round."""

    network: str
    variant: str
    batch_size: int
    images: int  # of an epoch
    seconds: list[float] = field(default_factory=list)

    @property
    def images_per_second(self) -> float:
        """By the quickest round."""
        return self.batch_size / min(self.seconds)

    @property
    def median_images_per_second(self) -> float:
        return self.batch_size / statistics.median(self.seconds)

    @property
    def seconds_per_epoch(self) -> float:
        """Training alone, by the quickest round."""
        return self.images / self.images_per_second


@dataclass(frozen=True)
class Bench:
    """All timings, and what they were taken on."""

    device: str
    timings: tuple[Timing, ...]
    parts: dict[str, float]  # share of one of our iterations of the first network, by part
    floor_seconds: float  # an epoch of the first network at the speed of a large matrix product
    peak_bytes: int  # beyond what torch itself takes
    workers: int  # of the DataLoader, the best of WORKERS

    @property
    def ratios(self) -> dict[str, tuple[float, float]]:
        """Ours over the write-ups' way, and over the plain loop, in images a second, by network."""
        speed = {(timing.network, timing.variant): timing.images_per_second for timing in self.timings}
        return {
            slug: (speed[slug, "ours"] / speed[slug, "write-up"], speed[slug, "ours"] / speed[slug, "plain"])
            for slug in NETWORKS
        }


def bench(
    device: str = "auto", rounds: int = 5, seconds: float = 2.0, say: Callable[[str], None] = lambda text: None
) -> Bench:
    """Measure everything once. Raises DataError where MNIST is missing, DeviceError where the device is."""
    on = choose_device(device)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    dataset = load("MNIST")
    workers = _best_workers(dataset, on, say)
    timings = [
        Timing(slug, variant, recipe_of(slug).batch_size, len(dataset.train))
        for slug in NETWORKS
        for variant in VARIANTS
    ]
    for number in range(rounds):
        for timing in timings:
            loop = _loop(timing.variant, timing.network, dataset, on, workers)
            timing.seconds.append(iteration_seconds(loop, on, seconds))
            say(f"round {number + 1} of {rounds}: {timing.network}, {timing.variant}")
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if on.type == "cuda":
        peak = torch.cuda.max_memory_allocated(on)
    return Bench(device_name(on), tuple(timings), _parts(dataset, on), _floor(on, len(dataset.train)), peak, workers)


def recipe_of(slug: str) -> Recipe:
    """The step's recipe with the write-up's augmentation, the same for all networks so that they compare."""
    augmentation = catalogue.by_slug(NETWORKS[0]).recipe.augmentation
    return replace(catalogue.by_slug(slug).recipe, augmentation=augmentation, epochs=1, range_test=None)


def iteration_seconds(loop: Iterator[int], device: torch.device, least: float) -> float:
    """Seconds of an iteration, over at least `least` seconds of them, after as short a stretch that warms up.

    A loop yields how many iterations it has done since it last yielded.
    """
    for stretch in (least / 4, least):  # the first warms up; the second counts
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < stretch:
            done += next(loop)
        if device.type == "cuda":  # once, at the end: to wait in each iteration would slow down the loops that do not
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - started
    return seconds / done


def _loop(variant: str, slug: str, dataset: Dataset, device: torch.device, workers: int) -> Iterator[int]:
    if variant == "write-up":
        return write_up_loop(slug, dataset, device, workers)
    data = resident(dataset, recipe_of(slug), device)
    return plain_loop(slug, data) if variant == "plain" else our_loop(slug, data)


class PilDigits(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """What torchvision's MNIST does for each image, on the arrays at hand: its files need not lie unpacked."""

    def __init__(self, dataset: Dataset, transform: Callable[[Image.Image], Tensor]) -> None:
        self.images, self.labels = torch.tensor(dataset.train.images), dataset.train.labels
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index].numpy())), int(self.labels[index])


def write_up_loop(slug: str, dataset: Dataset, device: torch.device, workers: int) -> Iterator[int]:
    """The write-ups' own way: PIL images, a transform each, a DataLoader, one .item() an iteration."""
    transforms = torchvision.transforms
    recipe = recipe_of(slug)
    steps = _pil_transforms(recipe.augmentation)
    transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    digits = PilDigits(dataset, transform)
    loader = torch.utils.data.DataLoader(digits, recipe.batch_size, shuffle=True, num_workers=workers)
    network = with_torchs_dropout(build(catalogue.by_slug(slug).architecture, 1)).to(device).train()
    optimizer = make_optimizer(network, recipe)
    while True:
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = F.nll_loss(network(images), labels)
            loss.backward()
            optimizer.step()
            loss.item()
            yield 1


def _pil_transforms(augmentation: Augmentation) -> list[nn.Module]:
    transforms = torchvision.transforms
    nearest = transforms.InterpolationMode.NEAREST
    perspective, rotation = augmentation.perspective, augmentation.rotation
    return [
        transforms.RandomPerspective(perspective.strength, perspective.probability, nearest),
        transforms.RandomRotation(rotation.strength, nearest),
    ]


def plain_loop(slug: str, data: Resident) -> Iterator[int]:
    """Resident data and the batched warp, as anyone would write it, with nn.Dropout."""
    recipe = recipe_of(slug)
    network = with_torchs_dropout(build(catalogue.by_slug(slug).architecture, 1)).to(data.device).train()
    optimizer = make_optimizer(network, recipe)
    generator = torch.Generator(data.device).manual_seed(1)
    while True:
        for chosen in torch.randperm(len(data.train), device=data.device).split(recipe.batch_size):
            images = augment(grey(data.train.images[chosen]), recipe.augmentation, generator)
            images = normalised(images, data.normalisation)
            optimizer.zero_grad()
            loss = F.cross_entropy(network(images), data.train.labels[chosen])
            loss.backward()
            optimizer.step()
            yield 1


def our_loop(slug: str, data: Resident) -> Iterator[int]:
    """The lab's own training, in one run, so that a GPU records it once. It evaluates 100 images where it has to: the
    other loops evaluate nothing. Its events come when they come."""
    few = Examples(data.test.images[:100], data.test.labels[:100])
    network = build(catalogue.by_slug(slug).architecture, 1).to(data.device)
    for event in train(network, replace(data, test=few, validation=None), replace(recipe_of(slug), epochs=MANY)):
        if isinstance(event, Points):
            yield len(event.losses)


def with_torchs_dropout(network: nn.Sequential) -> nn.Sequential:
    """The same network with torch's own dropout in place of the lab's."""
    return nn.Sequential(*(nn.Dropout(each.p) if isinstance(each, Dropout) else each for each in network))


def _best_workers(dataset: Dataset, device: torch.device, say: Callable[[str], None]) -> int:
    """How many DataLoader workers serve the write-ups' way best on this machine."""
    speed = {}
    for workers in WORKERS:
        speed[workers] = iteration_seconds(write_up_loop(NETWORKS[0], dataset, device, workers), device, 3.0)
        say(f"write-up with {workers} DataLoader workers: {1000 * speed[workers]:.1f} ms an iteration")
    return min(speed, key=lambda workers: speed[workers])


def _parts(dataset: Dataset, device: torch.device, iterations: int = 30) -> dict[str, float]:
    """What share of one of our iterations each part takes: the first network, each part's quickest run."""
    recipe = recipe_of(NETWORKS[0])
    data = resident(dataset, recipe, device)
    generator = torch.Generator(device).manual_seed(1)
    network = build(catalogue.by_slug(NETWORKS[0]).architecture, 1).to(device).train()
    compute = computing(network, device)
    masks = draw_from(network, generator)
    optimizer = make_optimizer(network, recipe)
    took: dict[str, list[float]] = {}

    def timed(part: str, started: float) -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        now = time.perf_counter()
        took.setdefault(part, []).append(now - started)
        return time.perf_counter()

    order = torch.randperm(len(data.train), generator=generator, device=device)
    made = batches(data, order[: iterations * recipe.batch_size], recipe.batch_size, recipe.augmentation, generator)
    clock = time.perf_counter()
    for images, labels in made:
        clock = timed(MAKING, clock)
        masks.draw(images)
        _, loss = forward(compute, images, labels, recipe)
        clock = timed("forward", clock)
        optimizer.zero_grad()
        loss.backward()
        clock = timed("backward", clock)
        optimizer.step()
        clock = timed("optimizer", clock)
    quickest = {part: min(seconds) for part, seconds in took.items()}
    if device.type != "cpu":  # where many batches are made at once, and the others are slices
        quickest[MAKING] = statistics.mean(took[MAKING])
    total = sum(quickest.values())
    return {part: seconds / total for part, seconds in quickest.items()}


def _floor(device: torch.device, images: int) -> float:
    """Seconds of an epoch of the first network's multiply-adds (forward, and twice that backward) at full speed.

    Full speed is what a large float32 matrix product reaches here; convolutions of ten channels cannot.
    """
    side = 4096 if device.type == "cuda" else 1024
    left, right = torch.randn(2, side, side, device=device)
    quickest = math.inf
    for _ in range(10):
        started = time.perf_counter()
        left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        quickest = min(quickest, time.perf_counter() - started)
    macs_per_second = side**3 / quickest
    return 3 * trace(catalogue.by_slug(NETWORKS[0]).architecture).macs * images / macs_per_second
