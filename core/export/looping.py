"""The part of a training script that trains: the loop, and the evaluation after each epoch."""

from __future__ import annotations

from collections.abc import Iterator

from core.export.optimizing import beside_muon, pace_of
from core.export.section import Section, Subject
from core.training.recipe import EarlyStopping, ReduceLROnPlateau

EVALUATE = '''\
@torch.no_grad()
def evaluate(model, images, labels):
    """Mean loss and accuracy, without dropout and without changes of the images."""
    model.eval()
    logits = torch.cat([model(normalise(part).to(device)).float().cpu() for part in images.split(1000)])
    return F.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()
'''


def looping(subject: Subject) -> Section:
    """The section that trains and prints the figures of each epoch."""
    lines = [
        EVALUATE,
        "",
        *_before(subject),
        "for epoch in range(EPOCHS):",
        *(f"    {line}" for line in _epoch(subject)),
    ]
    words = "An iteration: predict a batch, compute the loss and its gradients, and take a step. All batches: an epoch."
    return Section("Training", words, "\n".join(line.rstrip() for line in lines))


def _before(subject: Subject) -> list[str]:
    lines = []
    if subject.recipe.validation_size:
        lines.append("best_accuracy = 0.0  # on the held-out images")
    if early := subject.recipe.early_stopping:
        lines.append(f"best_so_far, waited = {'-' if early.monitor == 'accuracy' else ''}math.inf, 0")
    return [*lines, ""] if lines else []


def _epoch(subject: Subject) -> Iterator[str]:
    recipe = subject.recipe
    yield "network.train()"
    yield "hits = 0"
    yield "for chosen in torch.randperm(len(train_images)).split(BATCH_SIZE):"
    yield from (f"    {line}" for line in _iteration(subject))
    if pace_of(recipe.schedule) == "epoch":
        yield "scheduler.step()"
    yield ""
    yield from _figures(subject)
    if isinstance(recipe.schedule, ReduceLROnPlateau):
        figure = "loss" if recipe.schedule.mode == "min" else "accuracy"
        yield f"scheduler.step({recipe.schedule.monitor}_{figure})"
    if early := recipe.early_stopping:
        yield from _early_stopping(subject, early)


def _iteration(subject: Subject) -> Iterator[str]:
    recipe = subject.recipe
    changed = "torch.stack([augment(image) for image in images])"
    yield "images, labels = train_images[chosen], train_labels[chosen].to(device)"
    if subject.augments and recipe.plain_epochs:
        yield f"if epoch < EPOCHS - {recipe.plain_epochs}:  # the last ones train on the images as they are"
        yield f"    images = {changed}"
    elif subject.augments:
        yield f"images = {changed}"
    if recipe.precision == "bf16":
        yield "with torch.autocast(device, torch.bfloat16):"
        yield "    logits = network(normalise(images).to(device))"
        yield "logits = logits.float()"
    else:
        yield "logits = network(normalise(images).to(device))"
    yield f"loss = {_loss(subject)}"
    if recipe.l1:
        yield f"penalty = {recipe.l1!r} * sum(weights.abs().sum() for weights in network.parameters())"
    yield "network.zero_grad()"
    yield "(loss + penalty).backward()" if recipe.l1 else "loss.backward()"
    if recipe.gradient_clipping:
        name = "clip_grad_norm_" if recipe.clip_by == "norm" else "clip_grad_value_"
        yield f"nn.utils.{name}(network.parameters(), {recipe.gradient_clipping!r})"
    yield "optimizer.step()"
    if beside_muon(subject):
        yield 'adam.param_groups[0]["lr"] = ADAM_LEARNING_RATE * optimizer.param_groups[0]["lr"] / LEARNING_RATE'
        yield "adam.step()"
    if pace_of(recipe.schedule) == "iteration":
        yield "scheduler.step()"
    if recipe.ema_decay:
        yield "averaged.update_parameters(network)"
    yield "hits += (logits.argmax(1) == labels).sum().item()"


def _loss(subject: Subject) -> str:
    recipe = subject.recipe
    if recipe.loss == "mean_squared_error":
        return "F.mse_loss(logits.softmax(1), F.one_hot(labels, 10).float())"
    smoothing = f", label_smoothing={recipe.label_smoothing!r}" if recipe.label_smoothing else ""
    return f"F.cross_entropy(logits, labels{smoothing})"


def _figures(subject: Subject) -> Iterator[str]:
    recipe = subject.recipe
    model = "averaged" if recipe.ema_decay else "network"
    weights = "averaged.module" if recipe.ema_decay else "network"
    yield "train_accuracy = hits / len(train_images)  # while it learned"
    told = 'print(f"epoch {epoch + 1}: train {train_accuracy:.2%}, '
    if recipe.validation_size:
        yield f"validation_loss, validation_accuracy = evaluate({model}, validation_images, validation_labels)"
    yield f"test_loss, test_accuracy = evaluate({model}, test_images, test_labels)"
    if recipe.validation_size:
        yield f'{told}validation {{validation_accuracy:.2%}}, ", end="")'
        told = 'print(f"'
    yield f'{told}test {{test_accuracy:.2%}}")'
    if recipe.validation_size:
        yield "if validation_accuracy > best_accuracy:"
        yield "    best_accuracy = validation_accuracy"
        yield f'    torch.save({weights}.state_dict(), "{subject.file_stem}-best.pth")'


def _early_stopping(subject: Subject, early: EarlyStopping) -> Iterator[str]:
    figure = f"{subject.figure}_{early.monitor}"
    sign, way = ("<", "-") if early.monitor == "loss" else (">", "+")
    least = f" {way} {early.min_delta!r}" if early.min_delta else ""
    better = f"{figure} {sign} best_so_far{least}"
    yield f"best_so_far, waited = ({figure}, 0) if {better} else (best_so_far, waited + 1)"
    yield f"if waited >= {early.patience}:  # epochs without a better {early.monitor}"
    yield "    break"
