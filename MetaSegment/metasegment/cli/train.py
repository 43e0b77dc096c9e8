"""`metasegment train`: meta-training from a configuration, resumed if it was begun before."""

from __future__ import annotations

import argparse

from ..errors import InputError
from . import common


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("train", help="meta-train the network or strategies on top of it, or go on with it")
    parser.add_argument("config", metavar="CONFIG", help="a TOML file, or the name of one that comes with the package")
    parser.add_argument("--minutes", type=float, help="stop after so many minutes; the next call goes on from there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    try:
        from ..training import Config, meta_train, read_config, train
    except ImportError as error:
        raise InputError(f"training needs {error.name}: pip install 'metasegment[train]'") from None
    config = read_config(options.config)
    if isinstance(config, Config):
        print(f"weights: {train(config, options.minutes)}")
        return
    for learnt in meta_train(config, options.minutes):
        print(f"learnt: {learnt}")
