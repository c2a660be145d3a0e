"""Which choices to try next, from how the ones before came out: Optuna's sampler, and the budget kept by narrowing.

TPE with several objectives (Ozaki et al. 2022, doi:10.1613/jair.1.13188), the parameters and the loss on held-out
images, draws near the choices on the Pareto front. What it needs is rebuilt from the tries each time, so nothing but
the tries has to be kept.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.errors import LabError, SearchError
from core.search.space import Choices, Knob, OneOf, Real, SearchSpec, Whole, check_search, made, narrowed, smallest
from core.training.recipe import Recipe

FIRST = 10  # tries that are drawn at random, over all sizes
DRAWS = 100  # for one try, before the search is taken to be at its end
GUESSING = math.log(10)  # the loss of ten equal probabilities: what a failed try counts as


@dataclass(frozen=True)
class Told:
    """A try as the sampler is told of it."""

    choices: Choices
    parameters: int
    loss: float | None  # on held-out images; None while it trains


@dataclass(frozen=True)
class Proposal:
    """What to train next."""

    choices: Choices
    architecture: Architecture
    recipe: Recipe


def propose(spec: SearchSpec, architecture: Architecture, recipe: Recipe, told: Sequence[Told]) -> Proposal:
    """The next try; the first is the network itself, where it keeps to the budget.

    The same for the same tries before. Raises LabError where there is nothing to search, SearchError where all that is
    drawn is too large, cannot be trained, or was tried before.
    """
    knobs = check_search(spec, architecture, recipe)
    known = {_key(knobs, each.choices) for each in told}
    chance, budget = random.Random(len(told)), spec.budget
    if len(told) < FIRST:  # else narrowing would make all of them as large as may be
        least = smallest(knobs, architecture, recipe)
        budget = round(least + (spec.budget - least) * chance.uniform(0.1, 1.0))
    reasons: list[str] = []
    for number, drawn in zip(range(DRAWS), _drawn(knobs, told), strict=False):
        try:
            if number == 0 and not told:
                drawn, budget = {knob.name: knob.start for knob in knobs}, spec.budget
                if classifier(architecture).parameters > budget:
                    continue
            choices = narrowed(knobs, architecture, recipe, drawn, budget)
            if choices is None:
                reasons.append(f"more than {spec.budget:,} parameters")
                budget = spec.budget
            elif _key(knobs, choices) in known:
                reasons.append("tried before")
            else:
                network, varied = made(knobs, architecture, recipe, choices)
                name = f"{architecture.name[:80]}, try {len(told) + 1}"
                return Proposal(choices, replace(network, name=name), varied)
        except LabError as error:
            reasons.append(str(error))
    why = max(set(reasons), key=reasons.count)
    raise SearchError(f"nothing is left to try after {len(told)} tries: of {DRAWS} draws most were: {why}")


def _key(knobs: Sequence[Knob], choices: Choices) -> tuple[object, ...]:
    return tuple(choices.get(knob.name) for knob in knobs)


def _drawn(knobs: Sequence[Knob], told: Sequence[Told]) -> Iterator[Choices]:
    """The sampler's choices, the likeliest first; it takes those that it has drawn before for being trained."""
    import optuna  # here: it takes a fifth of a second, and most processes never search
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import TrialState, create_trial

    def distribution(knob: Knob) -> BaseDistribution:
        match knob.values:
            case Whole(least, most, step):
                return IntDistribution(least, most, step=step)
            case Real(least, most, logarithmic):
                return FloatDistribution(least, most, log=logarithmic)
            case OneOf(options):
                return CategoricalDistribution(options)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {knob.name: distribution(knob) for knob in knobs}
    sampler = optuna.samplers.TPESampler(n_startup_trials=FIRST, multivariate=True, constant_liar=True, seed=len(told))
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    for each in told:
        if not all(_contains(knob, each.choices.get(knob.name)) for knob in knobs):
            continue  # the start's own values may lie outside
        values = None if each.loss is None else [float(each.parameters), each.loss]
        state = TrialState.RUNNING if values is None else TrialState.COMPLETE
        params = {knob.name: each.choices[knob.name] for knob in knobs}
        study.add_trial(create_trial(state=state, values=values, params=params, distributions=space))
    while True:
        yield study.ask(space).params


def _contains(knob: Knob, choice: object) -> bool:
    match knob.values:
        case Whole(least, most, step):
            return isinstance(choice, int) and least <= choice <= most and (choice - least) % step == 0
        case Real(least, most):
            return isinstance(choice, int | float) and least <= choice <= most
        case OneOf(options):
            return choice in options
