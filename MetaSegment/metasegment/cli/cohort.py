"""`metasegment apply` where the image is a folder of studies or a list of them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..cohort.output import Output
from ..cohort.run import CohortOptions, apply_to_all
from ..cohort.studies import find_studies
from ..errors import InputError
from ..segmentation import Budget
from ..task import Task
from . import common
from .manifest import IN_A_COHORT, write_cohorts_manifest
from .progress import ProgressBar


def apply_to_cohort(task: Task, options: argparse.Namespace) -> None:
    """Many studies: a segmentation for each, and a report; says on standard output how many were done."""
    for given, name in ((options.annotation, "--annotation"), (options.save_task, "--save-task")):
        if given:
            raise InputError(f"{name} is for one image; for many, a list of lines IMAGE,ANNOTATION names what is drawn")
    if options.manifest:
        raise InputError(f"--manifest is for one image; a cohort always writes its own, {IN_A_COHORT} in its folder")
    chosen = CohortOptions(
        task=task,
        weights=options.weights,
        studies=find_studies(options.image),
        output=Output(options.output.absolute()),
        device=options.device,
        workers=options.workers,
        budget=Budget(seconds=options.seconds),
        seed=options.seed,
    )
    rows = apply_to_all(chosen, ProgressBar(), common.Interrupt())
    write_cohorts_manifest(options, chosen.output, chosen.studies, rows)
    failed = [row for row in rows if row.failure is not None]
    if len(failed) == len(rows):
        raise InputError(f"none of {len(rows)} studies could be done; {failed[0].case}: {failed[0].failure}")
    page = str(options.output / Path(chosen.output.page.name))
    if options.json:
        print(
            json.dumps(
                {"output": str(options.output), "done": len(rows) - len(failed), "failed": len(failed), "report": page}
            )
        )
    else:
        print(f"{len(rows) - len(failed)} studies done, {len(failed)} could not be done; report: {page}")
