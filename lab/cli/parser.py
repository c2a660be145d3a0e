"""The command line's words, and its one way in."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import NoReturn

from core.analysis.mistakes import ORDERS
from core.data.mnist import DATASETS
from core.errors import LabError
from core.outside import visible
from core.record import Json
from core.search.space import SearchSpec
from core.training.memory import out_of_memory
from core.training.recipe import RangeTest
from lab.cli.bringing import import_command
from lab.cli.data import data_command
from lab.cli.exporting import add_export
from lab.cli.keeping import (
    backup_command,
    health_command,
    new_store_command,
    passphrase_command,
    prune_command,
    restore_command,
    workers_command,
)
from lab.cli.networks import steps, trace_command
from lab.cli.reading import (
    PREDICT_WITH,
    answers_command,
    checkpoints_command,
    confirm_command,
    mistakes_command,
    predict_command,
)
from lab.cli.result import Incomplete
from lab.cli.searching import MAY_VARY, search_command
from lab.cli.terminal import PlainStream
from lab.cli.training import bench_command, doctor_command, range_test_command, reproduce_command, train_command

IDLE_SECONDS = "20"  # after which a worker ends that a command has started, and no app


class Parser(argparse.ArgumentParser):
    """argparse, with one line for an error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)} (--help says more)\n")


def one_line(text: str) -> str:
    """The text on one line, without what would move a terminal's cursor."""
    return " ".join(visible(" ".join(text.split())).split())


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 for bad input, or a shell's for a signal."""
    with redirect_stdout(PlainStream(sys.stdout)):  # errors are made plain below; a progress bar moves the cursor
        return _main(sys.argv[1:] if arguments is None else arguments)


def _main(given: list[str]) -> int:
    parser = _parser()
    try:
        os.fsencode("".join(given))
    except UnicodeEncodeError:  # half of a surrogate pair: no name of a file, and no other text either
        parser.error(f"an argument is not valid text: {ascii(' '.join(given))[:100]}")
    options = parser.parse_args(given)
    os.environ.setdefault("LAB_WORKER_IDLE", IDLE_SECONDS)
    command: Callable[[argparse.Namespace], Json | Incomplete] = options.command
    try:
        result = command(options)
        document = result.document if isinstance(result, Incomplete) else result
        if options.json:
            print(json.dumps(document, indent=1))
        sys.stdout.flush()
        if isinstance(result, Incomplete):
            print(f"python -m lab {options.name}: {one_line(result.reason)}", file=sys.stderr)
            return result.status
    except BrokenPipeError:  # the reader has enough, as in `steps | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the interpreter's end
        return 141  # what a shell says of a process that SIGPIPE ended
    except LabError as error:
        print(f"python -m lab {options.name}: {one_line(str(error))}", file=sys.stderr)
        return 2
    except (RuntimeError, MemoryError, OSError) as error:
        words = out_of_memory(error)
        if not words:
            raise
        print(f"python -m lab {options.name}: {words}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser(prog="python -m lab", description="The architecture lab on the command line.")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, command: Callable[[argparse.Namespace], Json | Incomplete], about: str) -> Parser:
        added = commands.add_parser(name, help=about, description=about)
        added.add_argument(
            "--json", action="store_true", help="print one JSON document; in it, as in all files, epochs count from 0"
        )
        added.set_defaults(command=command)
        return added

    add("steps", steps, "The ladder: every step with its parameters, multiply-adds, receptive field and claim.")

    tracing = add("trace", trace_command, "Shapes, parameters, multiply-adds and receptive field, op by op.")
    tracing.add_argument("network", metavar="SLUG|FILE", help="a step, or a file with a network, code or weights")
    _add_file_options(tracing)

    importing = add("import", import_command, "Take a file from elsewhere: code, ONNX, weights, a table of layers.")
    importing.add_argument(
        "file", metavar="FILE", type=Path, help=".py .ipynb .json .pt .pth .safetensors .npz .onnx .txt"
    )
    importing.add_argument("--weights", metavar="FILE", type=Path, help="of the network in FILE")
    importing.add_argument("--name", dest="title", help="of the checkpoint or design")
    _add_file_options(importing)
    _add_normalisation(importing)

    training = add("train", train_command, "Train a step, or an architecture of your own, and save its checkpoint.")
    _add_training_options(training)
    training.add_argument("--epochs", type=int, help="instead of the recipe's")
    training.add_argument("--save", metavar="NAME", help="the checkpoint's name, in the lab's home")
    training.add_argument("--seeds", metavar="LIST", help="a run for each of these, such as 0-4,9, side by side")
    training.add_argument("--side-by-side", type=int, metavar="N", help="seeds at a time, instead of one for each core")

    searching = add("search", search_command, "Search for the best network within a budget: each try is a run.")
    _add_training_options(searching)
    searching.add_argument("--budget", type=int, default=SearchSpec.budget, help="parameters, at most")
    searching.add_argument("--tries", type=int, default=SearchSpec.tries, help="networks to train")
    searching.add_argument("--epochs", type=int, default=4, help="for each")
    searching.add_argument("--vary", metavar="LIST", default="channels", help=", ".join(MAY_VARY))

    testing = add("range-test", range_test_command, "The learning-rate range test, and what it suggests.")
    _add_training_options(testing)
    testing.add_argument("--start", type=float, default=RangeTest.start)
    testing.add_argument("--end", type=float, default=RangeTest.end)
    testing.add_argument("--iterations", type=int, default=RangeTest.iterations)

    mistaking = add("mistakes", mistakes_command, "What a checkpoint gets wrong, the least confident first.")
    mistaking.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="a shipped slug, a saved name, or a file of weights"
    )
    mistaking.add_argument("--onto", metavar="NETWORK", help="what the weights in a file belong to")
    _add_normalisation(mistaking)
    mistaking.add_argument("--split", choices=["train", "test"], default="test")
    mistaking.add_argument("--order", choices=ORDERS, default=ORDERS[0])
    mistaking.add_argument("--limit", type=int, default=40, help="at most this many; all are counted")
    mistaking.add_argument("--data", choices=DATASETS, help="instead of the checkpoint's own data set")

    add("checkpoints", checkpoints_command, "Every checkpoint, and of one that cannot be opened the reason.")

    predicting = add("predict", predict_command, "Read the digits in a picture, from left to right.")
    predicting.add_argument("image", metavar="IMAGE", type=Path)
    predicting.add_argument("--checkpoint", default=PREDICT_WITH, help="a slug, a saved name, or a file of weights")
    predicting.add_argument("--onto", metavar="NETWORK", help="what the weights in a file belong to")
    _add_normalisation(predicting)

    add_export(add)

    examining = add("doctor", doctor_command, "What torch sees here, and whether training does there what it should.")
    examining.add_argument("--device", choices=["cpu", "cuda", "mps"], default="", help="by default all that are here")

    benching = add("bench", bench_command, "How fast training is, against the write-ups' way and plain PyTorch.")
    benching.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    benching.add_argument("--rounds", type=int, default=5)
    benching.add_argument("--side-by-side", action="store_true", help="how many runs at a time do most, for the queue")
    benching.add_argument("--seconds", type=float, default=8.0, help="that each number of runs is trained for")

    add("answers", answers_command, "Write what shipped checkpoints answer to the test digits, where it is not known.")

    confirming = add(
        "confirm", confirm_command, "Read QMNIST's 50,000 further test digits with every shipped checkpoint."
    )
    confirming.add_argument("--download", action="store_true", help="fetch these digits if they are not here (10 MB)")

    again = add("reproduce", reproduce_command, "Train every step with several seeds, and write what comes of it.")
    again.add_argument("names", metavar="SLUG", nargs="*", help="steps or variants; all, if none is given")
    again.add_argument(
        "--seeds", metavar="SEEDS", help="such as 1-5, of those that are planned; all of them, if not given"
    )
    again.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    again.add_argument("--side-by-side", type=int, metavar="N", help="runs in training at a time")
    again.add_argument("--plan", action="store_true", help="train nothing: write what is to be measured, and how")
    again.add_argument(
        "--tables", action="store_true", help="train nothing: write the tables of docs/ and README.md anew"
    )

    checking = add(
        "health", health_command, "Whether app, store, worker, device and data are well; exits with 1 if not."
    )
    checking.add_argument("--app", metavar="URL", help="where the app listens, instead of where its configuration says")

    working = add("workers", workers_command, "Which workers train, and what; with --stop, end them.")
    working.add_argument("--stop", action="store_true", help="end those on this machine; their runs wait for others")

    keeping = add("backup", backup_command, "Keep runs, checkpoints, designs and drawings in one file; work may go on.")
    keeping.add_argument("target", metavar="FILE.zip|FOLDER", type=Path, help="a new file, or a folder for one")
    keeping.add_argument("--without-weights", action="store_true", help="figures and cards only")

    add("new-store", new_store_command, "Start with an empty store of runs, where the one that was there is gone.")
    restoring = add("restore", restore_command, "Put a backup back, checked first, into an empty home of the lab.")
    restoring.add_argument("file", metavar="FILE.zip", type=Path)
    restoring.add_argument("--replace", action="store_true", help="put what is in the home aside")

    pruning = add("prune", prune_command, "Delete ended runs without a tag, by LAB_KEEP_DAYS and LAB_KEEP_RUNS.")
    pruning.add_argument("--dry-run", action="store_true", help="only say which")

    locking = add("passphrase", passphrase_command, "Make the hash of the teacher's passphrase, which is a setting.")
    given = locking.add_mutually_exclusive_group()
    given.add_argument("--stdin", action="store_true", help="read it from standard input, instead of asking twice")
    given.add_argument("--make", action="store_true", help="let the lab make one that nobody guesses, and show it once")

    fetching = add("data", data_command, "Which data sets are here, and where; with --download, fetch one.")
    fetching.add_argument("--download", metavar="NAME", nargs="?", const="MNIST", choices=DATASETS[:3])
    return parser


def _add_file_options(parser: Parser) -> None:
    parser.add_argument("--class", dest="network_class", metavar="NAME", help="which of several networks in the code")
    parser.add_argument("--onto", metavar="NETWORK", help="what weights belong to: a step, a saved design, or a file")


def _add_normalisation(parser: Parser) -> None:
    about = "that the weights were trained with: mnist, none, half, bytes, inverted, inverted-mnist, or MEAN,SD"
    parser.add_argument("--normalisation", metavar="NAME", help=about)


def _add_training_options(parser: Parser) -> None:
    parser.add_argument("network", metavar="SLUG|SPEC.json")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    help_text = "a recipe as JSON or a training script, instead of the step's own"
    parser.add_argument("--recipe", type=Path, metavar="FILE", help=help_text)
    parser.add_argument("--data", choices=DATASETS, help="instead of MNIST")
